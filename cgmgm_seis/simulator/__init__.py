"""A simulated Bay Area: its earthquakes, its ground and the seismograms they make."""
