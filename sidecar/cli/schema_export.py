"""JSON Schemas of the configuration and of the `ai/*` methods.

`python -m sidecar.cli.schema_export [FOLDER]` writes the checked-in files; a test compares them
with what the structs say now, so that no type changes without its page.
"""

import inspect
import sys
from pathlib import Path
from typing import Any

import msgspec

from protocol import ai
from protocol.methods import METHODS
from sidecar.config.clean import REFUSED
from sidecar.config.model import Config

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CONFIG_FILE = "config.schema.json"
METHODS_FILE = "ai-methods.schema.json"

Schema = dict[str, Any]


def config_schema() -> Schema:
    """Return the schema of `config.toml`, which is that of `initializationOptions` as well."""
    schema = msgspec.json.schema(Config)
    definitions = schema["$defs"]
    del definitions["Config"]["properties"][REFUSED]
    definitions["KeySource"] |= {"minProperties": 1, "maxProperties": 1}
    _dedent(definitions)
    return {"$schema": DIALECT, "title": "ai-sidecar configuration", **schema}


def methods_schema() -> Schema:
    """Return the schemas of every method's params and result, of progress values and errors."""
    types: list[Any] = [t for method in METHODS.values() for t in method]
    types += [ai.ProgressValue, ai.ErrorData, ai.StatusParams]
    types += [ai.LmRequestParams, ai.LmDelta, ai.LmEnd]
    refs, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    refs = list(refs)
    _dedent(definitions)
    methods: Schema = {}
    for index, name in enumerate(METHODS):
        methods[name] = {"params": refs[2 * index], "result": refs[2 * index + 1]}
    progress, error, status, lm_request, lm_delta, lm_end = refs[2 * len(METHODS) :]
    return {
        "$schema": DIALECT,
        "title": "ai-sidecar methods",
        "methods": methods,
        "progress": {"ai/stream": progress},
        "errorData": error,
        "notifications": {
            "ai/didChangeStatus": status,
            "ai/lm/delta": lm_delta,
            "ai/lm/end": lm_end,
        },
        "requestsToTheClient": {
            "ai/lm/request": {"params": lm_request, "result": {"type": "null"}}
        },
        "$defs": definitions,
    }


def _dedent(definitions: Schema) -> None:
    """Take the indentation of the source from docstrings; from Python 3.13 on it is not there."""
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])


def pretty(schema: Schema) -> bytes:
    """Return the schema as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2)


def files() -> dict[str, bytes]:
    """Return the content of every checked-in file, by its name."""
    return {
        CONFIG_FILE: pretty(config_schema()) + b"\n",
        METHODS_FILE: pretty(methods_schema()) + b"\n",
    }


def main() -> None:
    """Write the files into the folder named on the command line, or `docs/schema`."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/schema")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
