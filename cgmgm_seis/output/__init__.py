"""What is written for others: streams, data sets, figures and their provenance."""
