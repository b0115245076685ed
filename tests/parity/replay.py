"""Every recorded case, through the provider of ours that stands for it."""

import json
from collections.abc import Iterator
from pathlib import Path

from tests.parity.compare import differences
from tests.parity.drive import Json, drive
from tests.parity.request import build
from tests.parity.setups import SETUPS

NOT_REPLAYED = {
    "models__": "lists of models are in tests/vendors",
    "request__image_url_source": "the port refuses an image's address; Google takes it",
    "request__lone_surrogate": "no text of ours holds one: the editor's side replaces them",
}


def cases(shared: Path, provider: str) -> Iterator[tuple[str, Json]]:
    """Yield the recorded cases of a provider, by name."""
    for path in sorted((shared / "parity/goldens" / provider).glob("*.json")):
        if not path.stem.startswith(tuple(NOT_REPLAYED)):
            yield path.stem, json.loads(path.read_text("utf-8"))


async def replay(provider: str, case: Json) -> list[str]:
    """Return in what ours differs from the recording."""
    setup = SETUPS[provider](case)
    unary = case["op"] == "completePrompt" or case["config"].get("openAiStreamingEnabled") is False
    request = build(case, setup.model, state=setup.state)
    options = request.provider_options
    request.provider_options = {setup.kind: options} if options else {}
    seen = await drive(
        case,
        name=setup.kind,
        table=setup.table,
        request=request,
        unary=unary,
        environ=setup.environ,
        prepare=setup.prepare,
    )
    return differences(case, seen)
