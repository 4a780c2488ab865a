"""Kinds of statistics, one file each: what a pruning method scores units from."""
