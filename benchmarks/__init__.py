"""Benchmarks: one question per file; alternatives are measured side by side (docs/performance.md)."""
