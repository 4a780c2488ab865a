"""A study: its configuration, and what each job reads of it."""
