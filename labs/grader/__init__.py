"""Grades one submission of a lab, or those of a class."""
