"""Puts mixed load on every server for as long as requested, and checks that nothing is lost and nothing is kept."""
