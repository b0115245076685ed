"""Completion while typing. Everything here but `engine` and `feature` is pure: no I/O, no clock."""
