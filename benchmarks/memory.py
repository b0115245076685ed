"""Memory of the provider core: ten providers over TLS, each having streamed once, children counted.

Against a pygls server without features that has answered `initialize`, in the same run. Twice:
as a client of `ai/*` alone has it, for which pygls is never imported, and as an editor has it,
which asks for standard LSP as well.
"""

import tempfile
import time
from pathlib import Path

import trustme

from benchmarks.figures import Row, at_most, median
from benchmarks.processes import (
    KINDS,
    LoadServer,
    Side,
    bare_pygls,
    every_kind,
    model_for,
    options_for,
    sidecar_command,
)

NAMES = tuple(f"bench{i}" for i in range(10))
MB = 1_000_000
SETTLE = 0.5
TLS_STREAMS = 200
KINDS_OF_TEN = "ten kinds"


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Write a CA's certificate, and a certificate and key for this machine; return their paths."""
    ca = trustme.CA()
    leaf = ca.issue_cert("localhost", "127.0.0.1")
    paths = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    ca.cert_pem.write_to_path(str(paths[0]))
    for pem in leaf.cert_chain_pems:
        pem.write_to_path(str(paths[1]), append=True)
    leaf.private_key_pem.write_to_path(str(paths[2]))
    return paths


def core(options: object, names: tuple[str, ...], *, editor: bool) -> dict[str, float]:
    """Return MB of a sidecar's tree: once initialized, after one provider, after all.

    `editor`: the client asks for standard LSP as well, so that pygls is in memory.
    """
    with Side("sidecar", sidecar_command(), options=options) as side:
        if editor:
            side.settle()
        time.sleep(SETTLE)
        found = {"initialized": side.rss() / MB}
        for i, name in enumerate(names):
            side.stream(f"memory.{i}", model_for(name, "bench-t20"), provider=name)
            side.wait()
            if i == 0:
                found["one provider"] = side.rss() / MB
        side.take()
        time.sleep(SETTLE)
        return found | {"all providers": side.rss() / MB}


def each_stream(options: object) -> float:
    """Return kB of each of many streams over TLS while all run."""
    with Side("sidecar", sidecar_command(), options=options) as side:
        for count, pace in ((10, 0), (TLS_STREAMS, 100_000)):
            before = side.rss()
            for i in range(count):
                kind = KINDS[i % len(KINDS)]
                side.stream(f"{count}.{i}", model_for(kind, f"bench-t50-p{pace}"), kind)
            time.sleep(3.0 if pace else SETTLE)
            peak = side.rss()
            side.wait()
            side.take()
        return (peak - before) / TLS_STREAMS / 1000


def bare() -> float:
    """Return MB of a bare pygls server."""
    with bare_pygls().settle() as side:
        time.sleep(SETTLE)
        return side.rss() / MB


def run(names: list[str], *, quick: bool) -> list[Row]:
    base: list[float] = []
    mine: dict[str, list[dict[str, float]]] = {}
    streams: list[float] = []
    with tempfile.TemporaryDirectory(prefix="bench-tls-") as folder:
        ca, certificate, key = certificates(Path(folder))
        with LoadServer(tls=(certificate, key)) as server:
            for _ in range(2 if quick else 5):
                base.append(bare())
                if "sidecar" in names:
                    options = every_kind(f"https://localhost:{server.port}", ca=str(ca))
                    url = f"https://localhost:{server.port}/v1"
                    same = options_for(url, names=NAMES, ca=str(ca))
                    for which, editor in (("`ai/*` alone", False), ("and standard LSP", True)):
                        kinds = mine.setdefault(f"{KINDS_OF_TEN}, {which}", [])
                        kinds.append(core(options, KINDS, editor=editor))
                        ten = mine.setdefault(f"one kind ten times, {which}", [])
                        ten.append(core(same, NAMES, editor=editor))
                    streams.append(each_stream(options))
    reference = median(base)
    assert reference is not None
    rows: list[Row] = []
    for which, runs in mine.items():
        rows += _rows(which, runs, reference, base)
    rows.append(
        Row(
            what=f"memory per stream over TLS, {TLS_STREAMS} at once",
            unit="kB",
            measured=median(streams),
            detail={"sidecar": streams},
        )
    )
    return rows


def _rows(which: str, runs: list[dict[str, float]], bare_mb: float, base: list[float]) -> list[Row]:
    idle = median([one["initialized"] for one in runs])
    whole = median([one["all providers"] for one in runs])
    further = median([(one["all providers"] - one["one provider"]) / 9 for one in runs])
    assert idle is not None and whole is not None and further is not None
    against = {"unit": "MB", "reference": bare_mb, "reference_name": "bare pygls"}
    rows = [
        Row(what=f"memory, each provider after the first: {which}", unit="MB", measured=further),
        Row(
            what=f"memory, ten providers over TLS, each streamed once: {which}",
            measured=whole,
            target="≤ 8 MB more",
            met=at_most(whole - bare_mb, 8.0),
            detail={"sidecar": runs, "bare pygls": base},
            **against,
        ),
    ]
    if which.startswith(KINDS_OF_TEN):  # before the first stream the other is the same
        used = which.removeprefix(f"{KINDS_OF_TEN}, ")
        rows.insert(0, Row(what=f"memory, initialized and idle: {used}", measured=idle, **against))
    return rows
