"""`ai-sidecar models`: what the configured providers have, from the catalog or asked for.

What was asked for with `--refresh` is kept, for later lists and for the editors.
"""

import asyncio
import os
import time

import msgspec

from protocol.ai import ModelsResult
from providers.base import Model
from providers.catalog import kept
from providers.errors import ProviderError
from providers.manager import ProviderManager
from sidecar import to_wire
from sidecar.cli import output
from sidecar.cli.output import FAILED, OK
from sidecar.config import ConfigStore


@output.command
def run(argv: list[str]) -> int:
    """Run `models`. Return 0, or 1 if a provider could not be asked."""
    parser = output.parser("models", "The models of the configured providers.")
    parser.add_argument("-p", "--provider", help="only those of this provider")
    parser.add_argument(
        "--refresh", action="store_true", help="ask the services now, and keep what they say"
    )
    parser.add_argument("--json", action="store_true", help="print the result of `ai/models`")
    args = parser.parse_args(argv)
    store = ConfigStore(os.environ)
    try:
        models, failed = asyncio.run(_models(store, args.provider, refresh=args.refresh))
    except ProviderError as error:
        models, failed = [], [error]
    for error in failed:
        output.complain(error.message)
    if args.json:
        result = ModelsResult([to_wire.model_info(model) for model in models])
        output.raw(msgspec.json.format(msgspec.json.encode(result), indent=2))
        return FAILED if failed else OK
    if not models and not failed:
        output.complain(_none_known(args.provider, refreshed=args.refresh))
    now = time.time()  # noqa: TID251 - how old a list is, for people
    output.table(
        ("PROVIDER", "MODEL", "WINDOW", "OUTPUT", "$/M IN", "$/M OUT", "CAN", "FROM"),
        [_row(model, now) for model in models],
    )
    return FAILED if failed else OK


def _none_known(provider: str | None, *, refreshed: bool) -> str:
    if refreshed:
        return "the services name no model; set `model` in the provider's table"
    named = f" of {provider}" if provider else ""
    asked = f" -p {provider}" if provider else ""
    return f"no model{named} is known here; `ai-sidecar models{asked} --refresh` asks the service"


async def _models(
    store: ConfigStore, provider: str | None, *, refresh: bool
) -> tuple[list[Model], list[ProviderError]]:
    """Return the models, and the errors of the providers that could not say theirs."""
    manager = ProviderManager(
        store.config.providers_config(),
        environ=os.environ,
        model_lists=kept.locate_in(os.environ),
    )
    try:
        if provider is not None:
            return await manager.models(provider, refresh=refresh), []
        states = manager.providers()
        names = [s.id for s in states if s.configured] or [s.id for s in states if s.is_default]
        asked = [manager.models(name, refresh=refresh) for name in names]
        answers = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        await manager.aclose()
    found: list[Model] = []
    failed: list[ProviderError] = []
    for answer in answers:
        if isinstance(answer, ProviderError):
            failed.append(answer)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found += answer
    return found, failed


def _row(model: Model, now: float) -> tuple[str, ...]:
    features = model.features
    can = [name for name in features.__struct_fields__ if getattr(features, name)]
    price = model.price
    return (
        model.provider,
        model.id,
        _tokens(model.context_window),
        _tokens(model.max_output_tokens),
        "" if price is None else f"{price.input:g}",
        "" if price is None else f"{price.output:g}",
        ",".join(name.replace("_", "-") for name in can if name != "streaming"),
        model.source if model.asked_at is None else f"live, {_ago(now - model.asked_at)}",
    )


def _ago(seconds: float) -> str:
    """Say how long ago something was, to a person; a clock that was put back says "just now"."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def _tokens(count: int | None) -> str:
    if count is None:
        return ""
    return f"{count // 1000}k" if count >= 10_000 else str(count)
