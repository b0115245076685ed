"""Reads one layer of configuration value by value, keeping what is right.

The result is a tree: `dict` is a table, anything else a value of the type its field asks for. So
layers are merged without looking at types again, and nothing in a tree can fail later. A value that
is wrong costs that value only; the rest of its table applies.
"""

import math
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, cast

import msgspec

from providers.settings import KeySource, PoolMember, ProvidersConfig, ProviderSettings, Settings
from sidecar.config.problems import ConfigProblem, expected, got, join, takes_words, unknown

Tree = dict[str, Any]

DESTINATION = frozenset({"kind", "base_url", "region", "location"})
"""Fields of a provider that say where key and code go: if one is wrong, its default is no help."""

REFUSED = "refused"

_VALUES = (KeySource, PoolMember)
"""Structs that are one value: taken or replaced as a whole, never merged."""


class Field(NamedTuple):
    name: str
    type: Any
    shape: Literal["value", "table", "values", "tables", "list"]
    item: Any = None  # the table's class, or the type of the values of a `dict`


@cache
def fields_of(cls: type[Settings]) -> dict[str, Field]:
    """Return the fields that users may write in the table `cls`, by the name they write."""
    found = {f.encode_name: _field(f.name, f.type) for f in msgspec.structs.fields(cls)}
    if issubclass(cls, ProvidersConfig):
        del found[REFUSED]
    return found


def _field(name: str, kind: Any) -> Field:
    for part in _alternatives(kind):
        origin, args = typing.get_origin(part), typing.get_args(part)
        if _is_table(part):
            return Field(name, kind, "table", part)
        if origin is dict and _is_table(args[1]):
            return Field(name, kind, "tables", args[1])
        if origin is dict and args[1] is not Any:
            return Field(name, kind, "values", args[1])
        if origin is list and _is_table(args[0]):
            return Field(name, kind, "list", args[0])
    return Field(name, kind, "value")


def _alternatives(kind: Any) -> tuple[Any, ...]:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Settings) and kind not in _VALUES


class Cleaner:
    """Reads one layer. `source` says in the problems where the layer came from."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[ConfigProblem] = []
        self._provider: str | None = None

    def report(self, path: str, message: str) -> None:
        self.problems.append(ConfigProblem(path, message, self.source, self._provider))

    def table(self, cls: type[Settings], data: object, path: str = "") -> Tree:
        """Return what is right in `data`, reporting what is not. Raises nothing."""
        tree: Tree = {}
        fields = fields_of(cls)
        for key, value in self._items(data, path):
            field = fields.get(key)
            if field is None:
                self.report(join(path, key), unknown(key, fields))
            elif value is not None and value != "":  # editors send both for "not set"
                self._field(field, value, join(path, key), tree)
        if cls is ProviderSettings:
            self._endpoint(tree, path)
        return tree

    def _items(self, data: object, path: str) -> list[tuple[str, Any]]:
        if not isinstance(data, Mapping):
            if data is not None:
                self.report(path or self.source, f"expected a table, got {got(data, quote=False)}")
            return []
        pairs = cast("Mapping[Any, Any]", data).items()
        return [(key if isinstance(key, str) else str(key), value) for key, value in pairs]

    def _field(self, field: Field, value: object, path: str, tree: Tree) -> None:
        if field.shape == "table":
            tree[field.name] = self.table(field.item, value, path)
        elif field.shape == "tables":
            tree[field.name] = self._each(value, path, field, self._named_table)
        elif field.shape == "values":
            tree[field.name] = self._each(value, path, field, self._entry)
        elif field.shape == "list":
            self._list(field, value, path, tree)
        else:
            self._value(field, value, path, tree)

    def _each(
        self,
        data: object,
        path: str,
        field: Field,
        read: "Callable[[Field, str, object, str, Tree], None]",
    ) -> Tree:
        tree: Tree = {}
        for key, value in self._items(data, path):
            outer = self._provider
            if field.item is ProviderSettings:
                self._provider = key
            if value is not None:
                read(field, key, value, join(path, key), tree)
            self._provider = outer
        return tree

    def _named_table(self, field: Field, key: str, value: object, path: str, tree: Tree) -> None:
        if isinstance(value, Mapping):
            tree[key] = self.table(field.item, cast("object", value), path)
        else:
            self.report(path, f"expected a table, got {got(value, quote=False)}")

    def _entry(self, field: Field, key: str, value: object, path: str, tree: Tree) -> None:
        self._value(Field(field.name, field.item, "value"), value, path, tree, key)

    def _list(self, field: Field, value: object, path: str, tree: Tree) -> None:
        """A list of tables: one that lacks what it cannot do without is left out."""
        if not isinstance(value, (list, tuple)):
            self.report(path, f"expected a list of tables, got {got(value, quote=False)}")
            return
        kept: list[Any] = []
        for index, item in enumerate(cast("list[object]", value)):
            where = f"{path}[{index}]"
            before = len(self.problems)
            found = self.table(field.item, item, where)
            missing = [n for n in _required(field.item) if n not in found]
            if not missing:
                kept.append(field.item(**found))
            elif len(self.problems) == before:
                self.report(where, f"expected `{missing[0]}`")
        tree[field.name] = kept

    def _value(
        self, field: Field, value: object, path: str, tree: Tree, key: str | None = None
    ) -> None:
        destination = self._provider is not None and field.name in DESTINATION | {"endpoint"}
        try:
            tree[key or field.name] = _convert(value, field.type)
        except (msgspec.ValidationError, ValueError, OverflowError, RecursionError):
            message = (
                f"expected {expected(field.type)}, got {got(value, quote=takes_words(field.type))}"
            )
            self.report(path, message)
            if destination:
                tree.setdefault(REFUSED, {})[field.name] = f"{path}: {message}"
        else:
            if destination:
                tree.setdefault(REFUSED, {})[field.name] = ""

    def _endpoint(self, tree: Tree, path: str) -> None:
        """Turn the alias into what it stands for, so that layers can override one by the other."""
        refused = tree.get(REFUSED, {})
        alias_refused = refused.pop("endpoint", None)
        endpoint = tree.pop("endpoint", None)
        if "base_url" in refused:
            if endpoint is not None and tree.get("base_url") not in (None, endpoint):
                self.report(join(path, "endpoint"), "`baseUrl` says otherwise and counts")
        elif alias_refused is not None:
            refused["base_url"] = alias_refused
            if endpoint is not None:
                tree["base_url"] = endpoint


@cache
def _required(cls: type[Settings]) -> tuple[str, ...]:
    return tuple(f.name for f in msgspec.structs.fields(cls) if f.required)


def _convert(value: object, kind: Any) -> Any:
    try:
        found = msgspec.convert(value, kind)
    except msgspec.ValidationError:
        # Lua and JavaScript do not tell 3 from 3.0.
        if not (isinstance(value, float) and value.is_integer()):
            raise
        found = msgspec.convert(int(value), kind)
    if isinstance(found, float) and not math.isfinite(found):
        raise ValueError("not finite")
    return found
