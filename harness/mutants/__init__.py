"""Planted bugs: each a patch to a server, and the tests that must notice it."""
