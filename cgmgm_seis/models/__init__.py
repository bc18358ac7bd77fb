"""The generators."""
