"""The experiments: what is run, what is kept of it, what it shows."""
