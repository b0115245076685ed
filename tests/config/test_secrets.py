"""No secret in a message or a repr, wherever in a configuration it was put."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.settings import Settings
from sidecar.config import Config, ConfigStore
from sidecar.config.clean import fields_of

NO_FILE = Path("/nonexistent/ai-sidecar/config.toml")
CANARY = "Canary-7Hx92kQpLm"


def placements(cls: type[Settings] = Config) -> Iterator[dict[str, Any]]:
    """Every table with the canary as the value of one of its keys, in four shapes each."""
    for encoded, field in fields_of(cls).items():
        for value in (CANARY, [CANARY], {"x": CANARY}, {"env": CANARY, "file": CANARY}):
            yield {encoded: value}
        if field.shape == "table":
            yield from ({encoded: inner} for inner in placements(field.item))
        elif field.shape == "tables":
            yield from ({encoded: {"openai": inner}} for inner in placements(field.item))
        elif field.shape == "list":
            yield from ({encoded: [inner]} for inner in placements(field.item))
    yield {"unknown": CANARY}


@pytest.mark.parametrize("options", list(placements()), ids=str)
def test_no_message_quotes_it(options: dict[str, Any]):
    for set_layer in (ConfigStore.set_initialization_options, ConfigStore.set_workspace):
        store = ConfigStore({}, NO_FILE)
        set_layer(store, options)
        said = "".join(map(str, store.problems)) + str(store.config.refused) + repr(store)
        assert CANARY not in said


def test_no_repr_shows_it():
    store = ConfigStore({}, NO_FILE)
    store.set_initialization_options(
        {
            "providers": {
                "openai": {
                    "apiKey": [CANARY, CANARY],
                    "authToken": CANARY,
                    "accessToken": CANARY,
                    "headers": {"Authorization": CANARY},
                }
            },
            "http": {"proxy": f"http://user:{CANARY}@proxy.example"},
        }
    )
    assert store.problems == []
    shown = repr(store) + repr(store.config) + str(store.config) + repr(vars(store).keys())
    assert CANARY not in shown + repr(store.config.providers_config())


def test_a_key_in_the_place_of_a_name_is_masked():
    store = ConfigStore({}, NO_FILE)
    store.set_initialization_options({"providers": {"sk-live0123456789abcdef": {"model": 5}}})
    assert "0123456789" not in "".join(map(str, store.problems))
