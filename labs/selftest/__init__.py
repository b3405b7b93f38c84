"""Grades the grader: each solution gets exactly the points that it deserves (make lab-selftest)."""
