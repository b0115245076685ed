"""CPU per token by wire format: 10 streams of one kind as fast as they are read.

The floor reads chat completions whatever stands beside it: it is the unit of account.
"""

from contextlib import ExitStack

from benchmarks.cpu_per_token import measure
from benchmarks.figures import Row, median
from benchmarks.processes import (
    LoadServer,
    floor,
    model_for,
    sidecar_of_every_kind,
)

SHOWN = {
    "openrouter": "chat completions",
    "openai": "responses",
    "anthropic": "Anthropic messages",
    "gemini": "Gemini SSE",
    "bedrock": "Bedrock converse",
    "ollama": "Ollama",
}
"""A kind for each format."""


def run(names: list[str], *, quick: bool) -> list[Row]:
    tokens = 1_000 if quick else 3_000
    base: list[float] = []
    mine: dict[str, list[float]] = {kind: [] for kind in SHOWN}
    with ExitStack() as stack:
        server = stack.enter_context(LoadServer())
        reference = stack.enter_context(floor(server.port))
        measure(reference, "bench-t200", 200, "warm")
        side = None
        if "sidecar" in names:
            side = stack.enter_context(sidecar_of_every_kind(server.port))
        for turn in range(3 if quick else 5):
            base.append(measure(reference, f"bench-t{tokens}", tokens, f"{turn}"))
            for kind, found in mine.items() if side else ():
                assert side is not None
                if turn == 0:
                    measure(side, model_for(kind, "bench-t200"), 200, "warm", provider=kind)
                model = model_for(kind, f"bench-t{tokens}")
                found.append(measure(side, model, tokens, f"{kind}.{turn}", provider=kind))
    return [
        Row(
            what=f"CPU per token, {SHOWN[kind]}",
            unit="µs",
            measured=median(found),
            reference=median(base),
            reference_name="floor, chat completions",
            detail={"sidecar": found, "floor": base},
        )
        for kind, found in mine.items()
    ]
