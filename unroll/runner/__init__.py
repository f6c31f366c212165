"""DVC's stages, several at a time: what is due, processes that run it, and what DVC is told of the results."""
