"""Search for the settings of a generator: spaces, objectives, trials, and two engines."""
