"""Writing, locking and resuming: complete files and folders, chunks, process pools."""
