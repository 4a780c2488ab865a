"""Evaluation: questions, replies and metrics."""
