"""Code actions: edits that a model makes. Everything here but `engine` and `feature` is pure."""
