"""How long after a keystroke a model is asked. Pure: the time is an argument.

The configured time, as long as answers are wanted when they come. Where typing goes on before the
answer is there, again and again, the writer's rhythm is slower than that time: it grows, so that
fewer requests are sent for nothing.
"""

GROWTH = 1.5
MOST = 3.0
"""Times the configured one."""

FORGOTTEN_AFTER = 10.0
"""Seconds without a request, after which the rhythm is another."""


class Debounce:
    """Of one document."""

    def __init__(self) -> None:
        self._factor = 1.0
        self._last: float | None = None

    def wait(self, configured: float, now: float) -> float:
        """Return the seconds to wait after a keystroke at `now`; `configured` in seconds."""
        if self._last is not None and now - self._last > FORGOTTEN_AFTER:
            self._factor = 1.0
        self._last = now
        return configured * self._factor

    def answered(self) -> None:
        """An answer came in time."""
        self._factor = 1.0

    def abandoned(self) -> None:
        """A request was under way to the service when typing went on."""
        self._factor = min(MOST, self._factor * GROWTH)
