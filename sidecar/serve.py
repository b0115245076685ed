"""`ai-sidecar serve`: speaks LSP-framed JSON-RPC on stdin and stdout until the session ends.

Only the handshake is imported before `initialize` is answered.
"""

from sidecar.handshake import shake_hands

_INTERRUPTED = 130  # 128 + SIGINT, as a shell has it


def run(level: str | None = None, file: str | None = None) -> int:
    """Return the exit code: 0 after `shutdown` and `exit`, or at the end of stdin; else 1."""
    try:
        opening = shake_hands(0, 1)
        if isinstance(opening, int):
            return opening
        from sidecar import process

        return process.run(opening, fd_in=0, fd_out=1, level=level, file=file)
    except KeyboardInterrupt:
        return _INTERRUPTED
