"""The child process that holds the embedded model: llama.cpp's own HTTP server on loopback.

Started by path, by `local_server`, and alone in its process: it imports nothing of ours, because
loading a model holds the interpreter lock and a crash of native code must not end the sidecar.

Protocol: one JSON line on stdin (an `Order`), one JSON line on stdout
(a `Ready`). Then it serves until stdin ends, which happens whenever the
parent goes away, however it goes. The API key comes through stdin because a process list and
/proc show arguments and environments.
"""

import importlib
import os
import sys
from typing import Any

import msgspec


class Order(msgspec.Struct, rename="camel"):
    """What the parent asks for. `max_tokens` bounds an answer that names no bound of its own."""

    model: str
    alias: str
    key: str
    threads: int
    max_tokens: int | None = None

    def __repr__(self) -> str:
        """Leave out the key."""
        return f"Order({self.model!r}, …)"


class Ready(msgspec.Struct, rename="camel", omit_defaults=True):
    """What the parent is told: an `address`, or which step failed (`error`) and how."""

    address: str | None = None
    error: str | None = None
    message: str | None = None


def serve(order: Order) -> tuple[Ready, object]:
    """Load the model and listen. Returns what to tell the parent, and the server to keep alive."""
    try:
        xllamacpp: Any = importlib.import_module("xllamacpp")
    except ImportError as problem:
        return Ready(error="import", message=str(problem)), None
    params = xllamacpp.CommonParams()
    params.model.path = order.model
    params.model_alias = {order.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order.key]
    params.cpuparams.n_threads = order.threads
    params.cpuparams_batch.n_threads = order.threads
    # Two slots that share one context: an inline completion does not wait for a long answer.
    params.n_parallel = 2
    params.kv_unified = True
    # llama.cpp keeps up to 8 GiB of past prompts by default, which is no guest's place.
    params.cache_ram_mib = 64
    params.n_predict = -1 if order.max_tokens is None else order.max_tokens
    params.ui = False
    params.endpoint_slots = False
    params.offline = True
    try:
        server = xllamacpp.Server(params)
    except Exception as problem:  # noqa: BLE001 - whatever native code raises is the parent's answer
        return Ready(error="load", message=str(problem) or type(problem).__name__), None
    return Ready(address=server.listening_address), server


def main() -> None:
    """Answer the parent's order, then wait for the end of stdin."""
    out = os.dup(1)
    os.dup2(2, 1)  # native code that prints must not end up in our one line
    line = sys.stdin.buffer.readline()
    if not line:
        return
    ready, server = serve(msgspec.json.decode(line, type=Order))
    try:
        os.write(out, msgspec.json.encode(ready) + b"\n")
        while server is not None and sys.stdin.buffer.read(4096):
            pass
    except OSError:
        pass  # the parent is gone: so are we
    os._exit(0 if server is not None else 1)  # without waiting for an answer that is being written


if __name__ == "__main__":
    main()
