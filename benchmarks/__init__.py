"""Benchmarks of the sidecar: each prints the sidecar and its reference from one and the same run.

Nothing in the packages imports this; it drives processes from outside, as an editor would.
"""
