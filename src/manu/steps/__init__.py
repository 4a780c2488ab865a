"""What the rules of the workflow run."""
