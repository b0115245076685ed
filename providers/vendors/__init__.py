"""One small file per provider: where it is, how it wants its key, which dialect it speaks."""
