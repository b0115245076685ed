"""Laws of the layers, for configurations that nobody thought of."""

import string
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.config import Config, ConfigStore
from sidecar.config.clean import Cleaner, fields_of
from sidecar.config.merge import build, merge

NO_FILE = Path("/nonexistent/ai-sidecar/config.toml")
CANARY = "sk-canary-0123456789abcdef"

words = st.text(string.ascii_lowercase, min_size=1, max_size=6)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just(CANARY)
)
names = st.sampled_from(
    [
        *fields_of(Config),
        *("openai", "my-vllm", "apiKey", "baseUrl", "headers", "env", "command", "kind", "model"),
        *("connect", "pattern", "providers", "endpoint", "region", "prices", "languages"),
    ]
) | st.text(max_size=5)
garbage = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
    max_leaves=25,
)

keys = st.sampled_from(["k-111111", "k-222222"]) | st.builds(lambda n: {"env": n}, words)
tables = st.fixed_dictionaries(
    {},
    optional={
        "apiKey": keys,
        "model": words,
        "baseUrl": st.sampled_from(["https://a.example", "http://127.0.0.1:1"]),
        "headers": st.dictionaries(words, words, max_size=2),
        "organization": words,
    },
)
good = st.fixed_dictionaries(
    {},
    optional={
        "default": st.sampled_from(["openai", "groq/m"]),
        "providers": st.dictionaries(st.sampled_from(["openai", "groq"]), tables, max_size=2),
        "timeouts": st.fixed_dictionaries(
            {}, optional={"connect": st.integers(1, 9), "idle": st.integers(1, 9)}
        ),
        "limits": st.dictionaries(
            st.sampled_from(["openai", "groq"]),
            st.fixed_dictionaries({}, optional={"maxConcurrent": st.integers(1, 9)}),
        ),
        "fallback": st.fixed_dictionaries({}, optional={"chain": st.lists(words, max_size=2)}),
        "inline": st.fixed_dictionaries(
            {},
            optional={
                "enabled": st.booleans(),
                "languages": st.dictionaries(words, st.booleans(), max_size=2),
            },
        ),
    },
)


def clean(data: object) -> dict[str, Any]:
    cleaner = Cleaner("test")
    tree = cleaner.table(Config, data)
    assert cleaner.problems == []
    return tree


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= leaves(value, (*path, key))
        else:
            found[(*path, key)] = value
    return found


@given(garbage, garbage)
@settings(max_examples=150)
def test_nothing_that_is_json_ends_the_process(options: object, workspace: object):
    store = ConfigStore({}, NO_FILE)
    store.set_initialization_options(options)
    store.set_workspace(workspace)
    config = store.config
    assert isinstance(config, Config)
    assert CANARY not in repr(store) + "".join(map(str, store.problems))
    msgspec.convert(msgspec.to_builtins(config), Config)


@given(good, good)
@settings(max_examples=100)
def test_the_stronger_layer_wins_leaf_by_leaf(weak: dict[str, Any], strong: dict[str, Any]):
    below, above = clean(weak), clean(strong)
    assert leaves(merge(below, above)) == leaves(below) | leaves(above)
    assert merge(below, {}) == below
    assert merge({}, above) == above


@given(good, good, good)
@settings(max_examples=60)
def test_it_does_not_matter_which_layers_are_merged_first(a: Any, b: Any, c: Any):
    x, y, z = clean(a), clean(b), clean(c)
    assert merge(merge(x, y), z) == merge(x, merge(y, z))


def configured(options: object) -> Config:
    store = ConfigStore({}, NO_FILE)
    store.set_initialization_options(options)
    return store.config


def copy(data: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(data))


@given(good, st.sampled_from(["timeouts", "providers.openai", "inline", ""]), garbage)
@settings(max_examples=100)
def test_an_unknown_key_never_affects_another(right: dict[str, Any], where: str, bad: object):
    right, steps = copy(right), where.split(".") if where else []
    tables = [right, copy(right)]
    for index in range(2):
        for step in steps:
            tables[index] = tables[index].setdefault(step, {})
    expected = configured(right)
    tables[0]["no such key"] = bad
    tables[0]["alsoNotOne"] = bad
    assert configured(right) == expected


def paths(data: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every place of a value; a key source is one value."""
    if not isinstance(data, dict) or (path and path[-1] == "apiKey"):
        return [path]
    return [found for key, value in data.items() for found in paths(value, (*path, key))]


@given(good.filter(paths), st.data())
@settings(max_examples=150)
def test_a_bad_value_never_affects_another_key(right: dict[str, Any], data: st.DataObject):
    path = data.draw(st.sampled_from(paths(right)))
    without, broken = copy(right), copy(right)
    for options, act in ((without, "leave out"), (broken, "break")):
        table = options
        for step in path[:-1]:
            table = table[step]
        if act == "break" and path:
            table[path[-1]] = [[[object]]]  # right for no field at all
        elif path:
            del table[path[-1]]
    got, expected = configured(broken), configured(without)
    refused = {"openai", "groq"} if path and path[-1] == "baseUrl" else set[str]()
    assert set(got.refused) <= refused
    assert msgspec.structs.replace(got, refused={}) == expected


@given(good)
@settings(max_examples=60)
def test_what_is_built_says_what_was_written(data: dict[str, Any]):
    built = msgspec.to_builtins(build(clean(data)))
    expected = msgspec.to_builtins(msgspec.convert(data, Config))
    assert built == expected
