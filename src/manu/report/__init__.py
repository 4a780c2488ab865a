"""The pages of a finished study: the report and the explorer."""
