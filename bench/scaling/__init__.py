"""How costs grow: seconds and memory against rows, timesteps, units and seeds."""
