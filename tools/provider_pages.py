"""Make the tables of providers: the README's, `docs/providers/README.md`, and one block per page.

    .venv/bin/python tools/provider_pages.py    writes them; tests/tidy compares them

Run for a kind that is new, it says what is missing, and begins the kind's page.

Nothing in a table is a promise by hand: which field of a request is sent, refused or left out is
found by building requests, addresses and headers are asked of the providers themselves. Names for
people and remarks are in `provider_services.toml`. Long, because a third of it is text of pages.
"""

import asyncio
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from providers.auth.env import PROVIDER_ENV
from providers.base import AiProvider
from providers.catalog.presets import PRESETS
from providers.errors import Unsupported
from providers.manager import ProviderManager
from providers.registry import KINDS
from providers.settings import ProvidersConfig
from providers.types import (
    ChatRequest,
    CompletionRequest,
    Image,
    JsonSchema,
    Message,
    Reasoning,
    Text,
    ToolDefinition,
)
from providers.vendors import claude_code, vscode_lm
from providers.vendors.base import HttpProvider
from sidecar import to_wire

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "providers"
SERVICES: dict[str, dict[str, Any]] = tomllib.loads(
    (ROOT / "tools" / "provider_services.toml").read_text("utf-8")
)

# Written by hand as a whole: what is particular to them is credentials, not a table.
BY_HAND = frozenset({"anthropic", "aws", "bedrock", "vertex"})

NOT_DONE = {
    "gemini-cli": (
        "Gemini CLI's login",
        "its owner calls the use of that login by other software a violation of its terms, and "
        "names the API key as the way: "
        "[FAQ](https://github.com/google-gemini/gemini-cli/blob/main/docs/resources/faq.md). "
        "Use `gemini` or `vertex`",
    ),
    "qwen-code": (
        "Qwen Code's login",
        "the login's free tier ended on 2026-04-15, and new requests with it are refused: "
        "[authentication](https://qwenlm.github.io/qwen-code-docs/en/users/configuration/auth/). "
        "Use `qwen`",
    ),
}

Request = ChatRequest | CompletionRequest
Body = Callable[[Request], object]

SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}
TOOLS = [ToolDefinition("f", SCHEMA)]


def _ask(model: str, *extra: Image, **options: Any) -> ChatRequest:
    return ChatRequest(
        model=model, messages=[Message("user", [Text("hi"), *extra])], **options
    )  # fmt: skip


class Field(NamedTuple):
    """A field of a request: how the protocol calls it, and a request with and without it."""

    name: str
    having: Callable[[str], Request]
    lacking: Callable[[str], Request] = _ask


FIELDS = (
    Field("tools", lambda m: _ask(m, tools=TOOLS)),
    Field(
        "toolChoice",
        lambda m: _ask(m, tools=TOOLS, tool_choice="required"),
        lambda m: _ask(m, tools=TOOLS),
    ),
    Field("images", lambda m: _ask(m, Image("image/png", "aGk="))),
    Field("image URLs", lambda m: _ask(m, Image(url="https://example.org/i.png"))),
    Field("reasoning", lambda m: _ask(m, reasoning=Reasoning("high"))),
    Field("JSON", lambda m: _ask(m, response_format="json")),
    Field("JSON Schema", lambda m: _ask(m, response_format=JsonSchema("s", SCHEMA))),
    Field("maxTokens", lambda m: _ask(m, max_tokens=77)),
    Field("temperature", lambda m: _ask(m, temperature=0.3)),
    Field("topP", lambda m: _ask(m, top_p=0.3)),
    Field("stop", lambda m: _ask(m, stop=["x"])),
    Field("seed", lambda m: _ask(m, seed=3)),
    Field("FIM", lambda m: CompletionRequest(model=m, prompt="a", suffix="b")),
)

SENT, DROPPED, REFUSED, VARIES = "sent", "left out", "refused", "by model"


class Facts(NamedTuple):
    """What there is to say of a kind. `fields`: name of a field -> one of the four words."""

    kind: str
    provider: AiProvider
    fields: dict[str, str]
    lists: str
    counts: str


def facts_of(kind: str) -> Facts:
    """Return the facts, found by asking a provider of that kind that reaches nobody."""
    service = SERVICES[kind]
    config = {"providers": {kind: service.get("settings", {})}}
    manager = ProviderManager(msgspec.convert(config, ProvidersConfig), environ={})
    provider = manager._registry.get(kind)
    body = _body_of(provider)
    models = [provider.model or "m", *service.get("probe", ())]
    fields = {field.name: _state(field, body, models) for field in FIELDS}
    http = isinstance(provider, HttpProvider)
    lists = service.get("lists") or ("live" if http else "catalog")
    return Facts(kind, provider, fields, lists, _counts(provider))


def _state(field: Field, body: Body, models: list[str]) -> str:
    states: set[str] = set()
    for model in models:
        try:
            changes = body(field.having(model)) != body(field.lacking(model))
        except Unsupported:
            states.add(REFUSED)
        else:
            states.add(SENT if changes else DROPPED)
    return states.pop() if len(states) == 1 else VARIES


def _body_of(provider: AiProvider) -> Body:
    """Return what makes of a request all that leaves for the provider."""
    if isinstance(provider, HttpProvider):

        def sent(request: Request) -> object:
            dialect = provider.dialect_for(request)
            return dialect.path(request, stream=True), dialect.body(request, stream=True)

        return sent
    if isinstance(provider, claude_code.ClaudeCode):
        return _to_claude
    if isinstance(provider, vscode_lm.VsCodeLm):
        return _to_editor
    return _to_mock


def _to_claude(request: Request) -> object:
    chat = claude_code._as_chat(request) if isinstance(request, CompletionRequest) else request
    effort = chat.reasoning and chat.reasoning.effort
    return claude_code.input_line(chat), claude_code.limits(chat), effort


def _to_editor(request: Request) -> object:
    chat = vscode_lm._as_chat(request) if isinstance(request, CompletionRequest) else request
    vscode_lm._refuse(chat)
    return to_wire.lm_request("1", chat)


def _to_mock(request: Request) -> object:
    return bool(request.tools)


def _counts(provider: AiProvider) -> str:
    if not isinstance(provider, HttpProvider):
        return asyncio.run(provider.count_tokens([], "")).method
    if type(provider).count_tokens is HttpProvider.count_tokens:
        return "estimate"
    return "tokenizer" if provider.kind == "local" else "API"


# --- the README's table -------------------------------------------------------------------------

HEAD = (
    "| id | service | key | formats | tools | images | reasoning | FIM | models | tokens | state |"
)


def readme_table(all_facts: list[Facts]) -> str:
    """Return the whole table."""
    lines = [HEAD, "|---" * HEAD.count(" | ") + "|---|"]
    lines += [_readme_row(facts) for facts in all_facts]
    for kind, (service, reason) in NOT_DONE.items():
        lines.append(
            f"| `{kind}` | {service} | – | – | – | – | – | – | – | – | not done: {reason} |"
        )
    return "\n".join(lines)


def _readme_row(facts: Facts) -> str:
    service = SERVICES[facts.kind]
    cells = [
        f"[`{facts.kind}`](docs/providers/{page_of(facts.kind)})",
        service["service"],
        service.get("key") or _key_names(facts.kind),
        service.get("formats") or _preset_formats(facts.kind),
        _mark(facts, "tools"),
        _mark(facts, "images"),
        _mark(facts, "reasoning"),
        _mark(facts, "FIM"),
        facts.lists,
        facts.counts,
        "works",
    ]
    return f"| {' | '.join(cells)} |"


def page_of(kind: str) -> str:
    """Return the name of the page that tells of a kind."""
    return "presets.md" if kind in PRESETS else f"{kind}.md"


def _key_names(kind: str) -> str:
    names = " or ".join(f"`{name}`" for name in PROVIDER_ENV[kind].keys)
    if kind in PRESETS and PRESETS[kind].keyless:
        return f"none, or {names}"
    if kind == "gemini":
        return names.partition(" or ")[0]
    return names or "none"


def _preset_formats(kind: str) -> str:
    return "Chat Completions, FIM" if PRESETS[kind].fim else "Chat Completions"


def _mark(facts: Facts, field: str) -> str:
    """Return yes, no, or "model" where it depends on which one is asked."""
    state = facts.fields[field]
    if state in (REFUSED, DROPPED):
        return "–"
    can = facts.provider.capabilities()
    lacks = (field == "tools" and not can.functions) or (field == "images" and not can.vision)
    if lacks and type(facts.provider).capabilities is not HttpProvider.capabilities:
        return "–"
    return "model" if lacks or state == VARIES else "✓"


# --- docs/providers -------------------------------------------------------------------------------

_PAGE_HEAD = """# Providers

Made by `python tools/provider_pages.py`; a test compares it with the code. One page per provider,
and [one for the services that only need a row](presets.md).

## What of a request reaches the service

*sent*: it goes into the request (whether the model heeds it is the service's business). *refused*:
the request fails before anything is sent, with −32803, kind `invalidRequest`, and a message that
begins with the field's name. *left out*: nothing is sent for it; see [below](#what-is-left-out).
*by model*: one of these, depending on the model.

"""

_PAGE_TAIL = """
## What is left out

- A sampling setting (`temperature`, `topP`) where the model or the program takes none: an answer
  can be had without it, so the request is not failed for it.
- `reasoning` where the model has none, or not that effort: a reasoning model then uses its own
  default.
- Reasoning state (`opaque`) that came from another provider: services answer unknown fields with
  400.
- `cache: true` where the service has no caching that can be asked for.
- `toolChoice` where there are no tools.
- What an endpoint for Chat Completions has named as unknown in a 400: the request is sent again
  without it, once, and later ones go without it from the start.

Everything else that a format cannot carry is refused: tools, images, structured output, a suffix, a
stop sequence, a seed. `mock` heeds tools only, and refuses nothing.

## Not done

"""


def index_page(all_facts: list[Facts]) -> str:
    """Return `docs/providers/README.md`."""
    names = [field.name for field in FIELDS]
    groups: dict[tuple[str, ...], list[Facts]] = {}
    for facts in all_facts:
        groups.setdefault(tuple(facts.fields[name] for name in names), []).append(facts)
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for states, group in groups.items():
        links = ", ".join(f"[`{f.kind}`]({page_of(f.kind)})" for f in group)
        lines.append(f"| {links} | " + " | ".join(states) + " |")
    undone = [f"- `{kind}` ({what}): {why}." for kind, (what, why) in NOT_DONE.items()]
    return _PAGE_HEAD + "\n".join(lines) + "\n" + _PAGE_TAIL + "\n".join(undone) + "\n"


BEGIN, END = "<!-- made by tools/provider_pages.py -->\n", "<!-- until here -->\n"


def block_of(facts: Facts) -> str:
    """Return the table of facts of one page."""
    provider = facts.provider
    rows = [("address", _address(provider)), ("key", _auth(provider))]
    rows.append(("environment", _environment(facts.kind)))
    rows.append(("formats", SERVICES[facts.kind]["formats"]))
    rows.append(("default model", f"`{provider.model}`" if provider.model else "none"))
    for state in (SENT, VARIES, REFUSED, DROPPED):
        names = [name for name, said in facts.fields.items() if said == state]
        if names:
            rows.append((state, ", ".join(names)))
    rows.append(("list of models", facts.lists))
    rows.append(("count of tokens", facts.counts))
    if where := SERVICES[facts.kind].get("keys_at"):
        rows.append(("a key is made at", f"<https://{where}>"))
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"| | |\n|---|---|\n{table}\n"


def _address(provider: AiProvider) -> str:
    return f"`{provider.base_url}`" if provider.base_url else "none"


def _auth(provider: AiProvider) -> str:
    if not isinstance(provider, HttpProvider):
        return provider.key_source() or "none"
    headers = provider.auth_headers("KEY")
    return ", ".join(f"`{name}: {value}`" for name, value in headers.items()) or "none"


def _environment(kind: str) -> str:
    names = PROVIDER_ENV[kind]
    found = [f"`{name}` (`apiKey`)" for name in names.keys]
    for field, variables in (*names.secrets, *names.fields):
        found += [f"`{name}` (`{field}`)" for name in variables]
    return ", ".join(found) or "none"


def presets_table(all_facts: list[Facts]) -> str:
    """Return the table and the remarks of `docs/providers/presets.md`."""
    rows = [f for f in all_facts if f.kind in PRESETS]
    lines = [
        "| id | service | address | key in | default model | FIM |",
        "|---|---|---|---|---|---|",
    ]
    for facts in rows:
        service = SERVICES[facts.kind]
        model = f"`{facts.provider.model}`" if facts.provider.model else "none: name one"
        if PRESETS[facts.kind].keyless:
            model = "the first of its list"
        named = service["service"]
        if "keys_at" in service:
            named = f"[{named}](https://{service['keys_at']})"
        cells = [f"`{facts.kind}`", named, _address(facts.provider), _key_names(facts.kind), model]
        lines.append(f"| {' | '.join(cells)} | {_mark(facts, 'FIM')} |")
    notes = [
        f"- `{f.kind}`: {SERVICES[f.kind]['note']}" for f in rows if "note" in SERVICES[f.kind]
    ]
    return "\n".join(lines) + "\n\n" + "\n".join(notes) + "\n"


# --- files ------------------------------------------------------------------------------------


def files() -> dict[Path, str]:
    """Return every file that has something generated in it, as it should be."""
    all_facts = [facts_of(kind) for kind in SERVICES]
    readme = ROOT / "README.md"
    made = {readme: _replace_table(readme.read_text("utf-8"), readme_table(all_facts))}
    made[PAGES / "README.md"] = index_page(all_facts)
    made[PAGES / "presets.md"] = _with_block("presets.md", presets_table(all_facts))
    for facts in all_facts:
        if facts.kind not in PRESETS and facts.kind not in BY_HAND:
            name = page_of(facts.kind)
            made[PAGES / name] = _with_block(name, block_of(facts))
    return made


def _replace_table(text: str, table: str) -> str:
    begin = text.index("\n| id | service |") + 1
    end = text.index("\n\n", begin)
    return text[:begin] + table + text[end:]


def _with_block(name: str, block: str) -> str:
    text = (PAGES / name).read_text("utf-8")
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"{name}: expected the block between {BEGIN.strip()} and {END.strip()}")
    return pattern.sub(lambda _: BEGIN + block + END, text)


# --- a kind that is new -------------------------------------------------------------------------

_SKELETON = """# {service} (`{kind}`)

```toml
[providers.{kind}]
apiKey = {{ env = "{variable}" }}
```

{begin}{end}
What of it is particular: say it here, with the pages of the service that it is from.
"""


def missing() -> list[str]:
    """Return, one sentence each, what kinds and rows lack of each other."""
    services = "tools/provider_services.toml"
    found = [f"{services}: `{kind}` has no row" for kind in KINDS if kind not in SERVICES]
    for kind, row in SERVICES.items():
        wanted = ["service"] if kind in PRESETS else ["service", "formats"]
        found += [f"{services}: [{kind}] has no `{name}`" for name in wanted if name not in row]
        if kind not in KINDS:
            found.append(f"providers/registry.py: KINDS has no `{kind}`, but {services} does")
    table = "providers/auth/env.py: PROVIDER_ENV"
    found += [f"{table} has no row for `{kind}`" for kind in KINDS if kind not in PROVIDER_ENV]
    return found


def begin_pages() -> list[Path]:
    """Make the pages that are not there, tables empty; return them."""
    made: list[Path] = []
    for kind, row in SERVICES.items():
        page = PAGES / page_of(kind)
        if not page.exists():
            variable = next(iter(PROVIDER_ENV[kind].keys), "NAME")
            text = _SKELETON.format(
                kind=kind, service=row["service"], variable=variable, begin=BEGIN, end=END
            )
            page.write_text(text, "utf-8")
            made.append(page)
    return made


def main() -> None:
    """Write what is not as it should be. Exits with what is missing."""
    if lacks := missing():
        sys.exit("\n".join(lacks))
    begun = begin_pages()
    try:
        made = files()
    except ValueError as problem:
        sys.exit(str(problem))
    for path, text in made.items():
        if path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    for page in begun:
        sys.stdout.write(f"begun, to be written: {page.relative_to(ROOT).as_posix()}\n")


if __name__ == "__main__":
    main()
