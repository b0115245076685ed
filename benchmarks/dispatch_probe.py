"""Runs the sidecar and notes when each step of a request begins, from standard input to the socket.

    python -m benchmarks.dispatch_probe REPORT

At SIGUSR1 the times of every request so far are written to the file REPORT: a line for each, of
`STEP SECONDS` pairs. The methods named in `STEPS` are wrapped as soon as their module is loaded;
a wrapper takes about half a microsecond.
"""

import os
import runpy
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

EARLY = (
    ("sidecar.stdio", "PipeStdio", "_readable", "standard input is read"),
    ("sidecar.rpc", "Connection", "receive", "frame and JSON are decoded"),
)
"""Module, class, method, and what happens from its call to the next one of these."""
STEPS = (
    ("sidecar.rpc", "Connection", "_begin", "a task is made; a turn of the loop"),
    ("sidecar.from_wire", "", "request", "the request is checked and converted"),
    ("providers.manager", "ProviderManager", "stream", "it is routed; run, progress, status"),
    ("providers.run", "Run", "_admit", "it is admitted: circuit, budget, limits"),
    ("providers.run", "Run", "_open", "its provider and dialect are found"),
    ("providers.vendors.base", "HttpProvider", "_send", "its body is built and encoded"),
    ("providers.vendors.base", "HttpProvider", "headers", "key and headers"),
    ("providers.http.client", "HttpClient", "send", "address and head"),
    ("providers.http.transport", "Transport", "exchange", "an idle connection is taken"),
    ("providers.http.connection", "Connection", "send", "the exchange and its timer begin"),
    ("asyncio.selector_events", "_SelectorSocketTransport", "write", "the system's send"),
)
END = "done"

done: list[list[tuple[str, float]]] = []
_steps: list[tuple[str, float]] = []


def watch(module: str, owner: str, method: str, step: str) -> None:
    """Note when `method` is called; the last step notes as well when it returns."""
    holder: Any = import_module(module)
    if owner:
        holder = getattr(holder, owner)
    run: Callable[..., Any] = getattr(holder, method)

    def noted(*arguments: Any, **named: Any) -> Any:
        if step == EARLY[0][3]:
            _steps.clear()
        _steps.append((step, time.perf_counter()))
        if step != STEPS[-1][3]:
            return run(*arguments, **named)
        try:
            return run(*arguments, **named)
        finally:
            _steps.append((END, time.perf_counter()))
            done.append(list(_steps))

    setattr(holder, method, noted)


def main() -> None:
    report = sys.argv[1]

    def tell(*_: object) -> None:
        with open(report + ".new", "w") as file:
            for steps in done:
                file.write("\t".join(f"{step}\t{at!r}" for step, at in steps) + "\n")
        os.replace(report + ".new", report)

    signal.signal(signal.SIGUSR1, tell)
    for names in EARLY:
        watch(*names)
    from sidecar import rpc

    attach = rpc.Connection.attach_session

    def attached(self: Any, *arguments: Any) -> None:
        for names in STEPS:
            watch(*names)
        attach(self, *arguments)

    rpc.Connection.attach_session = attached  # type: ignore[method-assign]
    sys.argv = ["ai-sidecar"]
    runpy.run_module("sidecar", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
