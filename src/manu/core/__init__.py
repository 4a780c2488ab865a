"""Basics used by the whole package: errors, atomic files, locks, extensions."""
