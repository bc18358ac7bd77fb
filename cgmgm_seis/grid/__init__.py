"""Shaking maps and wavefields of one earthquake at many nodes, in chunks that are never lost."""
