"""Faults in what the kernel and the C library answer, at every place where a server calls them."""
