"""Tool schemas as Bedrock's stricter validation takes them.

The rules are the port's: unions of types become `anyOf`, objects are closed, formats that are not
supported go, `required` names only what is there, and the top is an object. A schema that is no
JSON Schema is passed on as it came.
"""

from typing import cast

Schema = dict[str, object]

_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
# No sets: what stands in their place in a schema may be a list.
_TYPES = ("string", "number", "integer", "boolean", "null", "object", "array")
_OF_ARRAYS = ("items", "minItems", "maxItems", "uniqueItems")
_CHOICES = ("anyOf", "oneOf", "allOf")


class _NotASchema(ValueError):
    pass


def strict_schema(schema: Schema, *, keep_open: bool = False) -> Schema:
    """Return a copy of `schema` that Bedrock accepts.

    With `keep_open` an object that names no properties stays one of any: closed, as the port has
    it for tools, it could only be `{}`.
    """
    try:
        return _closed(_object_at_top(schema), keep_open)
    except _NotASchema:
        return schema


def _object_at_top(schema: Schema) -> Schema:
    """Return the schema without a choice at its top: the first object among its alternatives."""
    for keyword in _CHOICES:
        choices = schema.get(keyword)
        if not isinstance(choices, list):
            continue
        rest = {name: value for name, value in schema.items() if name not in _CHOICES}
        objects = [
            cast("Schema", each)
            for each in cast("list[object]", choices)
            if isinstance(each, dict) and cast("Schema", each).get("type") == "object"
        ]
        return {**rest, **(objects[0] if objects else {"type": "object"})}
    return schema


def _closed(schema: Schema, keep_open: bool) -> Schema:
    out = dict(schema)
    _split_types(out)
    kind = out.get("type")
    if kind is not None and kind not in _TYPES:
        raise _NotASchema
    if "format" in out and out["format"] not in _FORMATS:
        del out["format"]
    if isinstance(out.get("items"), dict):
        out["items"] = _closed(cast("Schema", out["items"]), keep_open)
    for keyword in _CHOICES:
        choices = out.get(keyword)
        if isinstance(choices, list):
            out[keyword] = [
                _closed(cast("Schema", each), keep_open) if isinstance(each, dict) else each
                for each in cast("list[object]", choices)
            ]
    if "properties" in out or (kind == "object" and not keep_open):
        _close_object(out, keep_open)
    return out


def _close_object(out: Schema, keep_open: bool) -> None:
    given = out.get("properties")
    properties = cast("dict[str, object]", given) if isinstance(given, dict) else {}
    out["properties"] = {
        name: _closed(cast("Schema", each), keep_open) if isinstance(each, dict) else each
        for name, each in properties.items()
    }
    required = out.pop("required", None)
    kept = [
        name
        for name in (cast("list[object]", required) if isinstance(required, list) else [])
        if isinstance(name, str) and name in properties
    ]
    if kept:
        out["required"] = kept
    out["additionalProperties"] = False


def _split_types(out: Schema) -> None:
    """Turn `type: [a, b]` into `anyOf`; what is said of arrays goes with the array."""
    kinds = out.get("type")
    if not isinstance(kinds, list):
        return
    del out["type"]
    of_arrays = {name: out.pop(name) for name in _OF_ARRAYS if name in out}
    out["anyOf"] = [
        {"type": kind, **(of_arrays if kind == "array" else {})}
        for kind in cast("list[object]", kinds)
    ]
