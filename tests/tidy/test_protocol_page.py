"""`docs/protocol.md` says what `protocol/ai.py` says, and its conversation really happens."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from protocol import ai
from protocol.methods import METHODS
from tests.contract.process import Sidecar

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text("utf-8")
TYPES = "\n".join(re.findall(r"```ts\n(.*?)```", PAGE, re.DOTALL))
OBJECTS = {
    name: body
    for name, body in re.findall(r"^type (\w+) = \{(.*?)\};", TYPES, re.MULTILINE | re.DOTALL)
}
STRUCTS = {
    name: struct
    for name, struct in vars(ai).items()
    if isinstance(struct, type) and issubclass(struct, ai.Wire) and struct is not ai.Wire
}


def documented(body: str) -> dict[str, bool]:
    """Return the fields of a type on the page: whether each is optional."""
    plain = re.sub(r"//.*", "", body)
    return {name: bool(mark) for name, mark in re.findall(r"(\w+)(\??):\s", plain)}


def declared(struct: type[msgspec.Struct]) -> dict[str, bool]:
    """Return the fields of a struct: whether each may be missing on the wire."""
    config = struct.__struct_config__
    fields = {config.tag_field: False} if config.tag_field else {}
    for field in msgspec.structs.fields(struct):
        left_out = config.omit_defaults and not field.required
        fields[field.encode_name] = field.default is msgspec.UNSET or left_out
    return fields


def test_every_type_is_on_the_page_and_no_other() -> None:
    assert set(OBJECTS) == set(STRUCTS)


@pytest.mark.parametrize("name", STRUCTS)
def test_a_type_has_the_same_fields_on_the_page(name: str) -> None:
    assert documented(OBJECTS[name]) == declared(STRUCTS[name])


def test_a_tag_is_the_same_on_the_page() -> None:
    for name, struct in STRUCTS.items():
        if (tag := struct.__struct_config__.tag) is not None:
            assert f'{struct.__struct_config__.tag_field}: "{tag}"' in OBJECTS[name], name


def rows(title: str) -> list[list[str]]:
    section = PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines]


def test_methods_kinds_and_progress_are_all_there() -> None:
    table = {row[0]: (row[1], row[2]) for row in rows("Methods")}
    assert table == {m: (t.params.__name__, t.result.__name__) for m, t in METHODS.items()}
    assert {row[0] for row in rows("Errors")} == set(get_args(ai.ErrorKind))
    kinds = re.findall(r'kind: "(\w+)"', TYPES)
    assert [kind for kind in kinds if kind in ai.PROGRESS_KINDS] == list(ai.PROGRESS_KINDS)


def contains(whole: Any, part: Any) -> bool:
    """Say whether all that the page shows of a message is in it."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and contains(whole[key], value) for key, value in part.items()
        )
    if isinstance(part, list):
        return (
            isinstance(whole, list) and len(whole) == len(part) and all(map(contains, whole, part))
        )
    return bool(whole == part)


@pytest.mark.asyncio
async def test_the_conversation_happens(tmp_path: Path) -> None:
    lines = re.findall(r"^([→←]) (.*)$", PAGE, re.MULTILINE)
    assert len(lines) > 15
    async with Sidecar(tmp_path) as it:
        for direction, line in lines:
            if direction == "→":
                it.send(json.loads(line))
            else:
                came = await it.read()
                assert contains(came, json.loads(line)), came
        assert await it.exit_code() == 0
