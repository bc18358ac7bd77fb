"""What is measured on records: peaks, spectra, durations and picks."""
