"""The checked-in schemas say what the types say, and say it rightly."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol.methods import METHODS
from sidecar.cli.schema_export import config_schema, files, methods_schema
from sidecar.config.clean import fields_of
from sidecar.config.model import Config

FOLDER = Path(__file__).parents[2] / "docs" / "schema"


@pytest.mark.parametrize("name", files())
def test_the_checked_in_file_is_in_step(name: str):
    assert (FOLDER / name).read_bytes() == files()[name], (
        "the types have changed: run `python -m sidecar.cli.schema_export` and look at the diff"
    )


def test_every_method_has_params_and_result():
    schema = methods_schema()
    assert list(schema["methods"]) == list(METHODS)
    for method in schema["methods"].values():
        for ref in method.values():
            assert ref["$ref"].removeprefix("#/$defs/") in schema["$defs"]


def test_every_reference_leads_somewhere():
    for schema in (config_schema(), methods_schema()):
        for ref in references(schema):
            assert ref.removeprefix("#/$defs/") in schema["$defs"]


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for value in node.values() for ref in references(value)]
    if isinstance(node, list):
        return [ref for value in node for ref in references(value)]
    return []


def test_the_configuration_has_what_users_may_write_and_no_more():
    schema = config_schema()
    properties = schema["$defs"]["Config"]["properties"]
    assert set(properties) == set(fields_of(Config))
    assert schema["$defs"]["Config"]["additionalProperties"] is False
    assert schema["$defs"]["KeySource"]["maxProperties"] == 1


def test_names_are_those_of_the_wire():
    schema = config_schema()["$defs"]
    assert {"apiKey", "baseUrl", "promptFormat"} <= set(schema["ProviderSettings"]["properties"])
    assert not any("_" in name for table in schema.values() for name in table["properties"])


def test_the_files_are_json():
    for content in files().values():
        assert msgspec.json.decode(content)["$schema"].startswith("https://json-schema.org/")


def test_a_price_is_written_as_ai_models_shows_it():
    written = config_schema()["$defs"]["PriceSettings"]["properties"]
    assert set(written) == set(methods_schema()["$defs"]["ModelPrice"]["properties"])
