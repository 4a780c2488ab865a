"""What the package costs: one question a file, answered by measuring, two ways side by side in one run (docs/performance.md)."""
