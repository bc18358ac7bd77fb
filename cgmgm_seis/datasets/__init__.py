"""Data sets, simulated and recorded, in SeisBench format."""
