"""The record that each job leaves beside its outputs."""
