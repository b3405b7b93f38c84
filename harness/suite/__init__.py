"""What the tests and the experiments share: servers as processes, peers, and what the kernel knows of them."""
