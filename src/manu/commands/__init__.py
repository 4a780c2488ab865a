"""Subcommands of `manu` that list and check."""
