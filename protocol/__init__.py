"""What an editor sees: the types and the method table of the `ai/*` protocol.

This package knows nothing of the rest of the project and imports msgspec only.
"""
