"""Checkpoints and benchmarks that are not made here: sources, revisions, checksums."""
