"""Numbers are followed to their answers, and all files are checked against their records."""
