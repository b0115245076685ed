"""JSON Schemas of tools, in the stricter forms that some services want.

`strict_schema` is what OpenAI's strict mode asks for (every property required, no others allowed),
after https://platform.openai.com/docs/guides/structured-outputs. The schema given is not changed.
"""

from typing import Any, Literal, cast

SchemaStyle = Literal["plain", "strict", "strict_nullable"]
"""`plain`: as given, and nothing said about strictness. `strict`: every property required, and
types that allowed null no longer do. `strict_nullable`: every property required, null as given."""

MCP_PREFIX = "mcp--"
"""Tools of MCP servers: their schemas are not ours to make strict."""

Schema = dict[str, Any]


def strict_schema(schema: Schema, *, nullable: bool) -> Schema:
    """Return `schema` with every property required; without `nullable` no type allows null."""
    if schema.get("type") != "object":
        return schema
    properties = _schemas(schema.get("properties"))
    changed = {name: _property(value, nullable=nullable) for name, value in properties.items()}
    return {
        **schema,
        **({"properties": changed} if changed or "properties" in schema else {}),
        "required": list(changed),
        "additionalProperties": False,
    }


def _property(schema: Any, *, nullable: bool) -> Any:
    if not isinstance(schema, dict):
        return schema
    given = cast("Schema", schema)
    kind: Any = given.get("type")
    if isinstance(kind, list) and not nullable:
        kinds = [each for each in cast("list[Any]", kind) if each != "null"]
        given = {**given, "type": kinds[0] if len(kinds) == 1 else kinds}
        kind = given["type"]
    if kind == "object":
        return strict_schema(given, nullable=nullable)
    items: Any = given.get("items")
    if kind == "array" and isinstance(items, dict):
        return {**given, "items": _property(items, nullable=nullable)}
    return given


def closed_schema(schema: Schema) -> Schema:
    """Return `schema` with `additionalProperties: false` on every object, and nothing else."""
    out = dict(schema)
    if out.get("type") == "object":
        out["additionalProperties"] = False
        properties = _schemas(out.get("properties"))
        if properties:
            out["properties"] = {name: _closed(value) for name, value in properties.items()}
    elif isinstance(out.get("items"), dict):
        out["items"] = _closed(out["items"])
    return out


def is_strict(schema: Schema) -> bool:
    """Whether strict structured output would take `schema` as it is."""
    if schema.get("type") == "object" or "properties" in schema:
        properties = _schemas(schema.get("properties"))
        if schema.get("additionalProperties") is not False:
            return False
        required: Any = schema.get("required")
        named = cast("list[Any]", required) if isinstance(required, list) else []
        if set(map(str, named)) != set(properties):
            return False
        return all(_is_strict(value) for value in properties.values())
    for name in ("anyOf", "allOf", "oneOf"):
        if isinstance(schema.get(name), list):
            return name == "anyOf" and all(map(_is_strict, schema[name]))
    return _is_strict(schema.get("items"))


def _is_strict(value: Any) -> bool:
    return is_strict(cast("Schema", value)) if isinstance(value, dict) else True


def _closed(value: Any) -> Any:
    return closed_schema(cast("Schema", value)) if isinstance(value, dict) else value


def _schemas(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
