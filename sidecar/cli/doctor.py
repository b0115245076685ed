"""`ai-sidecar doctor`: what is configured, where it comes from, and whether it works."""

import asyncio
import os

import msgspec

from sidecar.cli import output
from sidecar.cli.doctor_facts import Facts, LiveFacts, ProviderFacts, examine
from sidecar.cli.output import FAILED, OK
from sidecar.config import ConfigStore


@output.command
def run(argv: list[str]) -> int:
    """Run `doctor`. Return 0, or 1 if something that is configured is broken."""
    parser = output.parser("doctor", "What is configured, and whether it works.")
    parser.add_argument(
        "--live", action="store_true", help="have each provider stream a word; this costs a little"
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    args = parser.parse_args(argv)
    facts = asyncio.run(examine(ConfigStore(os.environ), live=args.live))
    if args.json:
        output.raw(msgspec.json.format(msgspec.json.encode(facts), indent=2))
    else:
        _show(facts, live=args.live)
    return FAILED if facts.broken else OK


def _show(facts: Facts, *, live: bool) -> None:
    output.line(f"ai-sidecar {facts.version}, Python {facts.python}, {facts.platform}")
    output.line(", ".join(f"{name} {found}" for name, found in facts.packages.items()))
    output.line()
    _show_config(facts)
    output.line()
    output.table(
        ("PROVIDER", "KIND", "KEY FROM", "ADDRESS", "STATE", "MS"),
        [_row(provider) for provider in facts.providers],
    )
    for provider in facts.providers:
        if provider.error is not None:
            output.line(f"{provider.id}: {provider.error}")
    if live:
        output.line()
        _show_live(facts.providers)
    output.line()
    _show_surroundings(facts)


def _show_config(facts: Facts) -> None:
    file = facts.config_file
    state = f"mode {file.mode}" if file.exists else "not there: `ai-sidecar config init` makes one"
    output.line(f"configuration: {file.path} ({state})")
    for warning in file.warnings:
        output.line(f"warning: {warning}")
    for problem in facts.problems:
        output.line(f"problem: {problem}")


def _row(provider: ProviderFacts) -> tuple[str, ...]:
    name = f"{provider.id} (default)" if provider.is_default else provider.id
    latency = "" if provider.latency_ms is None else f"{provider.latency_ms:.0f}"
    return (
        name,
        provider.kind,
        provider.key_source or "",
        provider.base_url,
        provider.status,
        latency,
    )


def _show_live(providers: list[ProviderFacts]) -> None:
    tested = [(provider.id, provider.live) for provider in providers if provider.live is not None]
    output.table(
        ("PROVIDER", "RESULT", "MODEL", "SAID", "FIRST MS", "TOKENS", "USD"),
        [(name, *_live_row(live)) for name, live in tested],
    )
    for name, live in tested:
        if live.error is not None:
            output.line(f"{name}: {live.error}")
    output.line(f"cost of this test: {cost_of([live for _, live in tested])}")


def cost_of(tests: list[LiveFacts]) -> str:
    """What failed has cost nothing; what nobody knows is not called nothing."""
    costs = [live.cost_usd for live in tests if live.ok]
    known = [cost for cost in costs if cost is not None]
    if costs and not known:
        return "unknown"
    more = "" if len(known) == len(costs) else ", as far as it is known"
    return f"{sum(known):.6f} USD{more}"


def _live_row(live: LiveFacts) -> tuple[str, ...]:
    if not live.ok:
        return ("failed", "", "", "", "", "")
    return (
        "ok",
        live.model or "",
        live.text or "",
        "" if live.first_token_ms is None else f"{live.first_token_ms:.0f}",
        str(live.tokens or ""),
        "unknown" if live.cost_usd is None else f"{live.cost_usd:.6f}",
    )


def _show_surroundings(facts: Facts) -> None:
    http, local = facts.http, facts.local
    proxies = ", ".join(f"{scheme} through {proxy}" for scheme, proxy in http.proxies.items())
    source = f" ({http.proxy_source})" if http.proxies else ""
    output.line(f"proxy: {proxies or 'none'}{source}")
    if http.proxies and http.no_proxy:
        output.line(f"no proxy for: {', '.join(http.no_proxy)}")
    output.line(f"certificates: {http.ca}")
    output.line(f"local model: {local.problem or local.weights}")
