"""The references: processes that do the sidecar's task, or a part of it, in the plainest way."""
