"""Decisions without I/O: pure state machines; time and chance are arguments."""
