"""Spans and metrics, as a collector on loopback receives them; and nothing where nobody asked."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from providers import telemetry
from providers.errors import ServerFailed
from providers.manager import ProviderManager
from providers.telemetry import is_wanted
from providers.types import StreamStart, TextDelta
from tests.ledger.booked import DOLLAR, MOCK, config
from tests.manager.scripted import HANG, ScriptedProvider, Target, ask, gather

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `otel` is missing")

pytestmark = pytest.mark.asyncio


class Collector:
    """What was sent to it, by path."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[bytes]] = {}
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                bodies.setdefault(self.path, []).append(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                del format, args

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def spans(self) -> list[Any]:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest as Request,
        )

        sent = [Request.FromString(body) for body in self.bodies.get("/v1/traces", [])]
        return [s for r in sent for x in r.resource_spans for y in x.scope_spans for s in y.spans]

    def metrics(self) -> dict[str, Any]:
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
            ExportMetricsServiceRequest as Request,
        )

        sent = [Request.FromString(body) for body in self.bodies.get("/v1/metrics", [])]
        return {
            m.name: list(m.histogram.data_points)
            for r in sent
            for x in r.resource_metrics
            for y in x.scope_metrics
            for m in y.metrics
        }


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    found = Collector()
    # OpenTelemetry's exporters read the process's environment themselves.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
    monkeypatch.setattr(telemetry, "CLOSING_SECONDS", 30.0)  # a busy machine imports slowly
    yield found
    found.close()


def plain(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


def manager_of(*providers: ScriptedProvider) -> ProviderManager:
    settings = config(providers={p.name: MOCK for p in providers}, default=providers[0].name)
    manager = ProviderManager(settings, environ=os.environ)
    for provider in providers:
        manager._registry._made[provider.name] = provider
    return manager


async def test_each_upstream_request_is_a_span(collector: Collector, waits: list[float]) -> None:
    a = ScriptedProvider("a", [[ServerFailed("secret words", status=500)], DOLLAR])
    manager = manager_of(a)
    await gather(manager.stream(ask("a private question"), Target()))
    await manager.aclose()
    failed, answered = collector.spans()
    assert [s.name for s in (failed, answered)] == ["chat m", "chat m"]
    assert plain(failed.attributes)["error.type"] == "server"
    assert failed.status.code == 2 and answered.status.code == 0
    found = plain(answered.attributes)
    assert found == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "mock",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 50,
        "gen_ai.usage.cache_creation.input_tokens": 5,
        "ai_sidecar.provider": "a",
    }
    assert answered.end_time_unix_nano >= answered.start_time_unix_nano
    everything = b"".join(body for bodies in collector.bodies.values() for body in bodies)
    for text in (b"private", b"Hello", b"secret words"):
        assert text not in everything


async def test_durations_and_tokens_are_metrics(collector: Collector) -> None:
    manager = manager_of(ScriptedProvider("a", [DOLLAR]))
    for _ in range(3):
        await gather(manager.stream(ask(), Target()))
    await manager.aclose()
    found = collector.metrics()
    (duration,) = found["gen_ai.client.operation.duration"]
    assert duration.count == 3
    used = {plain(p.attributes)["gen_ai.token.type"]: p for p in found["gen_ai.client.token.usage"]}
    assert {kind: point.sum for kind, point in used.items()} == {"input": 300, "output": 30}


async def test_a_cancelled_request_says_so(collector: Collector) -> None:
    a = ScriptedProvider("a", [[StreamStart("r", "m"), TextDelta("x"), HANG]])
    manager = manager_of(a)
    task = asyncio.create_task(gather(manager.stream(ask(), Target())))
    while not a.open:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await manager.aclose()
    (span,) = collector.spans()
    assert plain(span.attributes)["error.type"] == "cancelled"


async def test_a_collector_that_is_away_is_nobodys_business(
    collector: Collector, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "CLOSING_SECONDS", 0.5)
    collector.close()
    manager = manager_of(ScriptedProvider("a", [DOLLAR]))
    await gather(manager.stream(ask(), Target()))
    async with asyncio.timeout(5.0):
        await manager.aclose()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318/v1/metrics"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
    ],
)
async def test_when_it_is_wanted(environ: dict[str, str], expected: bool) -> None:
    assert is_wanted(environ) is expected


async def test_nothing_is_imported_where_nobody_asks() -> None:
    program = (
        "import asyncio, sys\n"
        "from tests.telemetry.test_telemetry import *\n"
        "for name in [n for n in sys.modules if n.startswith('opentelemetry')]:\n"
        "    del sys.modules[name]\n"
        "async def main():\n"
        "    manager = manager_of(ScriptedProvider('a', [DOLLAR]))\n"
        "    await gather(manager.stream(ask(), Target()))\n"
        "    await manager.aclose()\n"
        "asyncio.run(main())\n"
        "print([n for n in sys.modules if n.startswith('opentelemetry.')])\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=env,
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
