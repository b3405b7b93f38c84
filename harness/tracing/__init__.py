"""What peers do, and the system calls that each server answers with, side by side: make trace."""
