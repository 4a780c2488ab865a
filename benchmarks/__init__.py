"""Benchmarks of speed and memory: one question per file; alternatives are timed side by side (docs/performance.md)."""
