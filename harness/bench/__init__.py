"""The experiments: their runs, their results, and what the results show."""
