"""What must hold of the sources and no compiler says: `harness/check` runs these in the current directory."""
