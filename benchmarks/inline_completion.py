"""Completion while typing: from the last keystroke to the request, from the answer to the frame.

A keystroke is `didChange` and `textDocument/inlineCompletion`, as editors send them. The debounce
is configured, so what is beyond it is ours; the texts of the answer are the times at which the
provider wrote them.
"""

import re
from contextlib import ExitStack

from benchmarks.figures import Row, at_most, percentile
from benchmarks.processes import LoadServer, Side, options_for, sidecar_command

DEBOUNCE_MS = 40
URI = "file:///bench/typing.py"
LINES = 400


def options(port: int) -> dict[str, object]:
    """Return a configuration in which only this debounce stands before a request."""
    inline = {"mode": "chat", "provider": "bench", "model": "bench-t3-k1"}
    return options_for(f"http://127.0.0.1:{port}/v1") | {
        "inline": inline | {"debounceMs": DEBOUNCE_MS}
    }


def typed(side: Side, server: LoadServer, i: int) -> tuple[float, float]:
    """Return the milliseconds from keystroke to request, and from the last text to the frame."""
    line = LINES // 2 + i
    start = {"line": line, "character": 0}
    change = {"range": {"start": start, "end": start}, "text": "x = "}
    document = {"uri": URI, "version": 2 + i}
    side.take()
    server.records()
    at = side.notify(
        "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
    )
    where = {"textDocument": {"uri": URI}, "position": {"line": line, "character": 4}}
    side.request("textDocument/inlineCompletion", where | {"context": {"triggerKind": 2}})
    side.wait()
    [(answered_at, message)] = [m for m in side.take() if "id" in m[1]]
    [asked_at] = server.records().first_byte.values()
    [item] = message["result"]["items"]
    written = max(int(found) for found in re.findall(r"\d{10,}", item["insertText"]))
    return (asked_at - at) / 1e6, (answered_at - written) / 1e6


def run(names: list[str], *, quick: bool) -> list[Row]:
    if "sidecar" not in names:
        return []
    with ExitStack() as stack:
        server = stack.enter_context(LoadServer())
        side = stack.enter_context(
            Side("sidecar", sidecar_command(), options=options(server.port)).settle()
        )
        text = "def f(a, b):\n" * LINES * 2
        item = {"uri": URI, "languageId": "python", "version": 1, "text": text}
        side.notify("textDocument/didOpen", {"textDocument": item})
        typed(side, server, 0)
        samples = [typed(side, server, i) for i in range(1, 20 if quick else 150)]
    asked, answered = zip(*samples, strict=True)
    return [
        _row("keystroke to request, beyond the debounce", [ms - DEBOUNCE_MS for ms in asked], 5.0),
        _row("answer to frame", list(answered), None),
    ]


def _row(what: str, samples: list[float], limit: float | None) -> Row:
    measured = percentile(samples, 50)
    return Row(
        what=f"inline completion, {what}, p50",
        unit="ms",
        measured=measured,
        target="" if limit is None else f"≤ {limit:g} ms",
        met=None if limit is None else at_most(measured, limit),
        detail={"samples": samples, "p99": percentile(samples, 99)},
    )
