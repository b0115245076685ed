"""The program's name and version, for `initialize`, `--version` and the like. Imports nothing."""

NAME = "ai-sidecar"
VERSION = "0.1.0"
