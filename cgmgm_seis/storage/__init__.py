"""The one way to write, lock and resume: whole files and folders, chunks, processes."""
