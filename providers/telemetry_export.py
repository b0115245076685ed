"""`Exporter`: requests as OpenTelemetry's spans and metrics, named by its conventions for GenAI.

The one file that imports OpenTelemetry, on the thread that makes the exporter. The conventions are
in development: https://github.com/open-telemetry/semantic-conventions-genai, as of November 2026.
"""

import logging
from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from providers.telemetry import Ended
from providers.types import Usage

# `gen_ai.provider.name`: the conventions' words where they have one, else the kind's own name.
_PROVIDERS = {
    "aws": "aws.bedrock",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "claude-code": "anthropic",
    "codestral": "mistral_ai",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}
_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_TOKENS = [4**power for power in range(14)]
_CLOSE_MS = 400

Attributes = dict[str, str | int | float]


class Exporter:
    """`tell` from any one thread; exporting happens on threads of OpenTelemetry's own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        # A collector that is away would otherwise fill stderr, which editors show.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        common = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        resource = Resource.create({SERVICE_NAME: environ.get("OTEL_SERVICE_NAME", "ai-sidecar")})
        self._traces = self._metrics = None
        if common or environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
            self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
            self._tracer = self._traces.get_tracer("ai-sidecar")
        if common or environ.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"):
            reader = PeriodicExportingMetricReader(OTLPMetricExporter())
            self._metrics = MeterProvider([reader], resource, shutdown_on_exit=False)
            self._make_instruments(self._metrics)

    def _make_instruments(self, metrics: MeterProvider) -> None:
        make = metrics.get_meter("ai-sidecar").create_histogram
        prefix = "gen_ai.client.operation."
        self._duration = make(
            f"{prefix}duration", "s", explicit_bucket_boundaries_advisory=_SECONDS
        )
        self._first_chunk = make(
            f"{prefix}time_to_first_chunk", "s", explicit_bucket_boundaries_advisory=_SECONDS
        )
        self._tokens = make(
            "gen_ai.client.token.usage", "{token}", explicit_bucket_boundaries_advisory=_TOKENS
        )

    def tell(self, request: Ended) -> None:
        """Note one request."""
        common: Attributes = {
            "gen_ai.operation.name": request.operation,
            "gen_ai.provider.name": _PROVIDERS.get(request.kind, request.kind),
            "gen_ai.request.model": request.model,
        }
        if request.answered_as:
            common["gen_ai.response.model"] = request.answered_as
        failed: Attributes = {"error.type": request.error} if request.error else {}
        if self._traces is not None:
            self._span(request, {**common, **failed})
        if self._metrics is not None:
            self._duration.record(request.seconds, {**common, **failed})
            if request.first_chunk is not None:
                self._first_chunk.record(request.first_chunk, common)
            if request.usage is not None:
                used = request.usage
                for kind, tokens in (("input", used.input_tokens), ("output", used.output_tokens)):
                    self._tokens.record(tokens, {**common, "gen_ai.token.type": kind})

    def _span(self, request: Ended, attributes: Attributes) -> None:
        end = int(request.at * 1e9)
        span = self._tracer.start_span(
            f"{request.operation} {request.model}",
            kind=SpanKind.CLIENT,
            attributes={**attributes, **_usage(request.usage)},
            start_time=end - int(request.seconds * 1e9),
        )
        span.set_attribute("ai_sidecar.provider", request.name)
        if request.first_chunk is not None:
            span.set_attribute("gen_ai.response.time_to_first_chunk", request.first_chunk)
        if request.error:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)

    def close(self) -> None:
        """Send what has not been sent."""
        if self._traces is not None:
            self._traces.force_flush(_CLOSE_MS)
            self._traces.shutdown()
        if self._metrics is not None:
            self._metrics.shutdown(_CLOSE_MS)


def _usage(usage: Usage | None) -> Attributes:
    if usage is None:
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
    }
