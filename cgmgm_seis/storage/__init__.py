"""Files and folders that are whole or absent, chunks that resume, and processes."""
