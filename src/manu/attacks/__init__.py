"""Attacks on an unlearned model: whether what it no longer says can still be had from it (docs/robustness.md)."""
