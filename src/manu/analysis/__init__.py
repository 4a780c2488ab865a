"""Scores, intervals, tables, figures and claims."""
