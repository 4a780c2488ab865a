"""Questions are asked, and replies are scored."""
