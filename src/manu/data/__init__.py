"""The built-in benchmark, and the readers of MLLMU-Bench and CLEAR."""
