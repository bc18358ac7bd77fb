"""Training of a generator: settings, data, loop and run folder."""
