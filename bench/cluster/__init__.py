"""What building on many machines costs: seconds of a stage, of a graph, and of larger graphs, simulated."""
