"""Search for the best settings of a generator: spaces, objectives, trials, and two engines."""
