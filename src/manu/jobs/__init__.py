"""How the workflow starts its jobs."""
