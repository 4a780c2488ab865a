"""Tables: one file is one table."""
