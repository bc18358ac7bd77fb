"""Downloads of waveforms and station metadata."""
