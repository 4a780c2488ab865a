"""The checks behind `manu check method` and `manu check model`."""
