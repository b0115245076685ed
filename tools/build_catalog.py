"""Make `providers/catalog/data/*.json` from the recorded model tables and the supplement.

    python tools/build_catalog.py [TABLES]      TABLES defaults to ../shared/parity/models

Facts only: ids, windows, limits, flags and prices. One row per line, sorted as the tables are, so a
change of the tables shows as a readable diff. What a table means by a figure is decided here and
nowhere else: see `price_of` for the tiers and zeros, `features_of` for the flags.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "providers" / "catalog" / "data"
SUPPLEMENT = ROOT / "tools" / "catalog_supplement.toml"

# Our provider kind -> the recorded table. Subscriptions (openai-codex, qwen-code) and editor models
# (vscode-llm) have no prices of their own: their zeros mean "not by the token".
TABLES = {
    "openai": "openai-native.json",
    "anthropic": "anthropic.json",
    "gemini": "gemini.json",
    "vertex": "vertex.json",
    "bedrock": "bedrock.json",
    "xai": "xai.json",
    "groq": "v3.45/groq.json",
    "mistral": "mistral.json",
    "deepseek": "deepseek.json",
    "fireworks": "fireworks.json",
    "sambanova": "sambanova.json",
    "moonshot": "moonshot.json",
    "zai": "zai-international.json",
    "zai-mainland": "zai-mainland.json",
    "qwen-code": "qwen-code.json",
    "baseten": "baseten.json",
    "minimax": "minimax.json",
    "vscode-lm": "vscode-llm.json",
}

# The tables price these at zero and their services publish them as free.
FREE = re.compile(r"^glm-[\d.]+v?-flash$")
# Ids that the recorded program made up: a real id plus an effort, thinking or latency switch. They
# can be looked up, but are not shown as models.
VARIANT = re.compile(r":thinking$|^o\d(-mini)?-(high|low)$|-latency-optimized-")

REASONS = re.compile(
    r"(^|[/.])(o\d|gpt-5|gpt-oss|deepseek-r\d|deepseek-reasoner|magistral|qwen3-32b|minimax-m2|r1-v1)"
    r"|thinking|deepseek-r1|[-_]reasoning$|grok-(4-0709|4\.20|code|3-mini)"
    r"|gemini-(2\.5|3|flash)|glm-(4\.[5-9]|5)|kimi-k2(p5|\.5)"
)
NOT_REASONING = re.compile(r"chat-latest$|non-reasoning$")
# No function calling, by the services' own model pages.
NO_TOOLS = re.compile(
    r"titan-text|meta\.llama3-(70b|8b)|llama3-2-[13]b|deepseek\.r1|^o1-(mini|preview)$"
    r"|gemini-2\.0-flash-thinking"
)
FIM = re.compile(r"^(codestral-latest|deepseek-chat)$")


def features_of(model: str, row: dict[str, Any]) -> list[str]:
    """Return the capability flags. The tables have no flag for tools: all but a few take them."""
    name = model.lower()
    reasons = bool(
        row.get("supportsReasoningBudget")
        or row.get("requiredReasoningBudget")
        or row.get("supportsReasoningEffort")
        or REASONS.search(name)
    )
    flags = {
        "tools": not NO_TOOLS.search(name),
        "vision": row["supportsImages"],
        "reasoning": reasons and not NOT_REASONING.search(name),
        "promptCache": row["supportsPromptCache"],
        "fim": bool(FIM.search(name)),
    }
    return [flag for flag, on in flags.items() if on]


def four(model: str, row: dict[str, Any]) -> list[float | None] | None:
    """Return [input, output, cache read, cache write], None where a figure is not known.

    A zero for the whole model means that nobody said, except for those published as free; a zero
    for the cache means that caching has no price of its own. Gemini's "cache write" figure is the
    price of an hour's storage, which no answer reports, so it is left out.
    """
    given, out = row.get("inputPrice"), row.get("outputPrice")
    if given is None or out is None or (given == 0 == out and not FREE.match(model)):
        return None
    writes = None if model.startswith("gemini") else row.get("cacheWritesPrice")
    prices = [given, out, row.get("cacheReadsPrice") or None, writes or None]
    while prices[-1] is None:
        prices.pop()
    return prices


def price_of(model: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return `price` and, where a longer prompt costs more, `beyondTokens` and `beyond`.

    Gemini's tables put the price of the longest prompts first and list tiers by their upper bound;
    Claude's list the price of the 1M window, charged past the standard one; OpenAI's give factors.
    Tiers with a name are service levels that a request has to ask for: not ours.
    """
    base = four(model, row)
    if base is None:
        return {}
    tiers = [tier for tier in row.get("tiers", []) if "name" not in tier]
    long = row.get("longContextPricing")
    if long:
        more, out = long["inputPriceMultiplier"], long["outputPriceMultiplier"]
        scaled = [p and round(p * (out if i == 1 else more), 6) for i, p in enumerate(base)]
        return {"price": base, "beyondTokens": long["thresholdTokens"], "beyond": scaled}
    if not tiers:
        return {"price": base}
    prices = [four(model, tier) for tier in tiers]
    bounds = [tier["contextWindow"] for tier in tiers]
    if bounds[-1] is None:
        assert len(tiers) == 2, model
        return {"price": prices[0], "beyondTokens": bounds[0], "beyond": prices[1]}
    assert len(tiers) == 1 and bounds[0] > row["contextWindow"], model
    return {"price": base, "beyondTokens": row["contextWindow"], "beyond": prices[0]}


def convert(model: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return our row for a row of the recorded tables."""
    window, output = row.get("contextWindow"), row.get("maxTokens")
    made: dict[str, Any] = {"id": model}
    if window and window > 0:
        made["window"] = window
    if output and output > 0:
        made["output"] = output
    made["features"] = features_of(model, row)
    made |= price_of(model, row)
    if VARIANT.search(model):
        made["variant"] = True
    return made


NAMES = {"beyond_tokens": "beyondTokens"}
ORDER = (
    "id",
    "window",
    "output",
    "features",
    "price",
    "beyondTokens",
    "beyond",
    "variant",
    "retired",
)


def supplement(tables: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Add the supplement's models to `tables`, or patch those that are there."""
    for group in tomllib.loads(SUPPLEMENT.read_text("utf-8"))["group"]:
        table = tables.setdefault(group["provider"], {})
        for model, facts in group["models"].items():
            known = {NAMES.get(name, name): value for name, value in facts.items()}
            like = known.pop("like", None)
            if like:
                kind, _, other = like.partition("/")
                known = tables[kind][other] | known
            row = {"features": []} | table.get(model, {}) | known | {"id": model}
            table[model] = {name: row[name] for name in ORDER if name in row}


def main(source: Path) -> None:
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    for kind, name in TABLES.items():
        rows = msgspec.json.decode((source / name).read_bytes())["models"]
        tables[kind] = {model: convert(model, row) for model, row in rows.items()}
    supplement(tables)
    DATA.mkdir(exist_ok=True)
    for kind, rows in tables.items():
        lines = [msgspec.json.encode(row).decode() for row in rows.values()]
        text = "[\n" + ",\n".join(lines) + "\n]\n"
        (DATA / f"{kind}.json").write_text(text, "utf-8", newline="\n")
        sys.stdout.write(f"{kind}: {len(rows)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "parity" / "models")
