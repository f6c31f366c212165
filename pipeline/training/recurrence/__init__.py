"""Recurrent layers as one loop forward and one backward: Keras' numbers, in less time.

What costs time in Keras' own loop under XLA is the gradient that TensorFlow derives for
it. Here it is written out. Three ideas make it short and fast
(docs/decisions/recurrence.md):

- States are (units, batch), so that a gate is a block of whole rows, and input, state
  and a row of ones for the bias are one matrix (rows, batch): each timestep needs one
  product forward and two backward.
- Every gate is a tanh. The loop forward saves it as a *residual*; its derivative, 1 -
  tanh², needs nothing else.
- Padding in front of a text leaves the same state in every row of the batch. It is
  computed once: the shortest text is looped over from the start, and the others join
  it, a quarter of the batch at a time, when their words begin.

`network` chooses what is looped over and holds a layer, `through_time` has the loops
and what they read at each timestep, `cell` one timestep, `rules` the formulas.
Importing them starts TensorFlow.
"""
