"""Recurrent layers as one loop forward and one loop backward: Keras' numbers, in less
time.

Keras' own loop is slow under XLA because of the gradient that TensorFlow derives. Here
the gradient is written out. Three ideas make it short and fast
(docs/decisions/recurrence.md):

- States are (units, batch), so that a gate is a block of whole rows. State, input and a
  row of ones for the bias are one matrix (rows, batch). So each timestep needs one
  product forward and two backward.
- Every gate is a tanh. The loop forward saves the tanh as an *activation*. The derivative
  1 - tanh² needs nothing else.
- Padding in front of a text leaves the same state in every row of the batch. This state
  is computed once: the loop starts with the shortest text, and the other texts join
  when their words begin, a quarter of the batch at a time.

`network` decides which layer is looped over. `through_time` has the loops and their
inputs, `cell` has one timestep, `rules` has the formulas. Importing these modules
starts TensorFlow.
"""
