"""A coverage-guided fuzzer of everything that takes bytes from outside. See docs/fuzzing.md.

A target is a module of `fuzz.targets` with `check(data)`: it makes an input of the bytes, runs our
code on it, and asserts laws. Nothing here is part of the installed program.
"""
