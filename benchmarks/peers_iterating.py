"""The sidecar beside the services' SDKs and libraries of many providers, where they are installed.

CPU per token (theirs for iterating only), resident memory after ten streams, and the time from the
start of the process to being able to ask. Each reads the wire format that it is made for.

    uv sync --group bench --group peers
"""

import importlib.util
import sys
from contextlib import ExitStack

from benchmarks.cpu_per_token import measure
from benchmarks.figures import Row, median
from benchmarks.peers.sdk_iterate import PEERS
from benchmarks.processes import LoadServer, Side, sdk_command, sidecar_of_every_kind

MB = 1_000_000
KINDS = {"anthropic": "anthropic", "google_genai": "gemini", "boto3": "bedrock"}
"""The provider of ours that reads the same format; chat completions for the others."""

MODULES = {"google_genai": "google.genai"}


def installed(name: str) -> bool:
    """Return whether the peer called `name` can be imported."""
    try:
        return importlib.util.find_spec(MODULES.get(name, name)) is not None
    except ModuleNotFoundError:
        return False


def run(names: list[str], *, quick: bool) -> list[Row]:
    if "sidecar" not in names:
        return []
    rows: list[Row] = []
    count = 2 if quick else 5
    with ExitStack() as stack:
        server = stack.enter_context(LoadServer())
        ours = stack.enter_context(sidecar_of_every_kind(server.port))
        for name in PEERS:
            if not installed(name):
                print(f"{name} is not installed: uv sync --group peers", file=sys.stderr)
                continue
            kind = KINDS.get(name, "openrouter")
            with Side(name, sdk_command(name, server.port)) as peer:
                measure(peer, "bench-t20", 20, f"{name}.warm")
                measure(ours, "bench-t200", 200, f"{kind}.warm", provider=kind)
                theirs, mine = [], []
                for turn in range(count):
                    theirs.append(measure(peer, "bench-t300", 300, f"{name}.{turn}"))
                    mine.append(
                        measure(ours, "bench-t2000", 2000, f"{name}.our.{turn}", provider=kind)
                    )
                rows += _rows(name, ours, peer, mine, theirs)
    return rows


def _rows(
    name: str, ours: Side, peer: Side, mine: list[float], theirs: list[float]
) -> tuple[Row, Row, Row]:
    beside = f"beside {name}"
    return (
        Row(
            what=f"CPU per token, {beside} iterating",
            unit="µs",
            measured=median(mine),
            reference=median(theirs),
            reference_name=name,
            detail={"sidecar": mine, name: theirs},
        ),
        Row(
            what=f"resident after it, {beside}",
            unit="MB",
            measured=ours.rss() / MB,
            reference=peer.rss() / MB,
            reference_name=name,
        ),
        Row(
            what=f"spawn to ready, {beside}",
            unit="ms",
            measured=ours.ready_ms,
            reference=peer.ready_ms,
            reference_name=name,
        ),
    )
