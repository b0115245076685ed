"""`ai/metrics`: what was counted since the process started."""

import os
import sys
from pathlib import Path

from msgspec import UNSET

from protocol.ai import (
    ConnectionCounts,
    InlineMetrics,
    MetricsParams,
    MetricsResult,
    Percentiles,
    ProviderMetrics,
)
from providers import metrics as counted
from sidecar.call import Call
from sidecar.inline.counts import InlineCounts
from sidecar.session import Session


async def handle(session: Session, params: MetricsParams, call: Call) -> MetricsResult:
    """Return the counts of every provider that was used."""
    found = session.manager.metrics()
    return MetricsResult(
        uptime_ms=session.uptime_ms,
        rss_bytes=resident_bytes(),
        providers=[
            _provider(name, metrics, found.connections.get(name, (0, 0)))
            for name, metrics in found.providers.items()
        ],
        inline=_inline(session.inline_counts) if session.inline_counts.requests else UNSET,
    )


def _provider(
    name: str, metrics: counted.ProviderMetrics, connections: tuple[int, int]
) -> ProviderMetrics:
    return ProviderMetrics(
        id=name,
        requests=metrics.requests,
        ok=metrics.ok,
        cancelled=metrics.cancelled,
        errors={kind: count for kind, count in metrics.errors.items()},
        retries=metrics.retries,
        failovers=metrics.failovers,
        input_tokens=metrics.input_tokens,
        output_tokens=metrics.output_tokens,
        cost_usd=metrics.cost_usd,
        dispatch_ms=_percentiles(metrics.dispatch.percentiles()),
        first_token_ms=_percentiles(metrics.first_token.percentiles()),
        connections=ConnectionCounts(*connections),
    )


def _inline(counts: InlineCounts) -> InlineMetrics:
    return InlineMetrics(counts.requests, counts.shown, counts.accepted, counts.partly_accepted)


def _percentiles(found: counted.Percentiles) -> Percentiles:
    return Percentiles(round(found.p50, 3), round(found.p95, 3), round(found.p99, 3))


def resident_bytes() -> int:
    """Return the memory the process occupies; where only its peak can be known, that; else 0."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
