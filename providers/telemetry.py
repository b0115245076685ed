"""`Telemetry`: tells a collector of upstream requests, where the user's OTEL_* variables say so.

Off unless they do and the extra `otel` is installed; nothing of OpenTelemetry is imported before
the first request has ended, and then by a thread. No text of a prompt or an answer is ever told.
"""

import asyncio
import contextlib
import importlib.util
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from providers.types import Usage

if TYPE_CHECKING:
    from providers.telemetry_export import Exporter

T = TypeVar("T")

_ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_MOST_WAITING = 1000  # requests that end while the exporter is being imported: half a second
CLOSING_SECONDS = 1.5


class Ended(NamedTuple):
    """One upstream request. `at`: its end, in seconds since 1970; `error`: a kind, "" for none.

    `kind` is the provider's kind, `name` what the user calls it; `first_chunk` in seconds.
    """

    at: float
    seconds: float
    kind: str
    name: str
    operation: str
    model: str
    answered_as: str
    error: str
    first_chunk: float | None
    usage: Usage | None


class Telemetry:
    """One per manager; `environ` is where OTEL_* is looked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.is_on = is_wanted(environ)
        self._environ = environ
        self._exporter: Exporter | None = None
        self._loading: asyncio.Task[None] | None = None
        self._waiting: deque[Ended] = deque(maxlen=_MOST_WAITING)

    def ended(self, request: Ended) -> None:
        """Tell of a request. Returns at once; what is told goes out from another thread."""
        if self._exporter is not None:
            self._exporter.tell(request)
            return
        self._waiting.append(request)
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._load())

    async def aclose(self) -> None:
        """Send what is left. What takes longer than `CLOSING_SECONDS` is given up."""
        self.is_on = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                if self._loading is not None:
                    await asyncio.shield(self._loading)
                if self._exporter is not None:
                    await _in_thread(self._exporter.close)

    async def _load(self) -> None:
        try:
            self._exporter = await _in_thread(partial(_make_exporter, self._environ))
        except Exception:  # noqa: BLE001 - a collector's trouble is not the editor's
            self.is_on = False
            self._waiting.clear()
            return
        while self._waiting:
            self._exporter.tell(self._waiting.popleft())


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Return whether a collector is configured, spoken to over HTTP, and the extra is installed."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf") != "http/protobuf":
        return False
    if not any(environ.get(name) for name in _ENDPOINTS):
        return False
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


async def _in_thread(work: Callable[[], T]) -> T:
    """Return what `work` returns. Unlike asyncio's own threads, this one holds up nobody's end."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(step: Callable[[], None]) -> None:
        if not result.done():
            step()

    def run() -> None:
        try:
            step = partial(result.set_result, work())
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            step = partial(result.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
            loop.call_soon_threadsafe(settle, step)

    threading.Thread(target=run, name="telemetry", daemon=True).start()
    return await result


def _make_exporter(environ: Mapping[str, str]) -> "Exporter":
    from providers.telemetry_export import Exporter

    return Exporter(environ)
