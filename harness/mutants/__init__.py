"""Planted bugs: each is a patch to a server, with the tests that must notice it."""
