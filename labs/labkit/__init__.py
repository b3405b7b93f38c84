"""What the labs are made of: lab.toml, the protocol of a student, the starter, the kit."""
