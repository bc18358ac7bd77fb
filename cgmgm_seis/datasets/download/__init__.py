"""Downloading waveforms, catalogues and station metadata."""
