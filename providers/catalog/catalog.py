"""Finds what is known of a model, and lists the models of a provider.

What a service said when it was last asked (`kept.py`) is in the lists only: how a request is made
is decided by what was checked, and that is in the tables.

A provider's table is one file of `data/` (made by `tools/build_catalog.py`), read when it is first
asked for and then kept. The configuration's `[models."provider/model"]` tables beat it. An unknown
model is None: there is no default row, because a wrong window or price is worse than none.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from providers.base import Model, ModelFeatures, Price
from providers.catalog.kept import KeptLists
from providers.catalog.names import bare, undated
from providers.settings import ModelSettings, PriceSettings

_DATA = Path(__file__).parent / "data"

# Kinds that serve the models of another table under the same ids.
_SAME_AS = {"azure": "openai", "aws": "bedrock", "claude-code": "anthropic", "codestral": "mistral"}
# OpenRouter passes the maker's price through. Only makers that nobody else serves at another price.
_MAKERS = {
    "anthropic": "anthropic",
    "openai": "openai",
    "google": "gemini",
    "x-ai": "xai",
    "perplexity": "perplexity",
}
# Runs on the user's own machine: known to cost nothing.
_FREE = frozenset({"local"})


class _Row(msgspec.Struct, rename="camel", gc=False):
    id: str
    window: int | None = None
    output: int | None = None
    features: list[str] = []
    price: list[float | None] | None = None
    beyond_tokens: int | None = None
    beyond: list[float | None] | None = None
    variant: bool = False
    retired: bool = False


class _Table:
    """The rows of one file, by id; by bare and by undated name once one of those is asked for."""

    __slots__ = ("_names", "rows")

    def __init__(self, rows: list[_Row]) -> None:
        self.rows = {row.id: row for row in rows}
        self._names: tuple[dict[str, _Row], dict[str, _Row]] | None = None

    def find(self, model: str) -> _Row | None:
        row = self.rows.get(model)
        if row is None and self.rows:
            names, families = self._names or self._index()
            name = bare(model)
            row = names.get(name) or families.get(undated(name))
        return row

    def _index(self) -> tuple[dict[str, _Row], dict[str, _Row]]:
        # The best row of a family comes last and so wins: served, and of the latest date.
        names: dict[str, _Row] = {}
        families: dict[str, _Row] = {}
        for row in sorted(self.rows.values(), key=lambda r: (r.variant, not r.retired, r.id)):
            name = bare(row.id)
            names[name] = row
            if not row.variant:
                families[undated(name)] = row
        families |= {name: row for name, row in names.items() if name in families}
        self._names = names, families
        return self._names


class Catalog:
    """`overrides` are the configuration's model tables, keyed by "provider name/model id"."""

    def __init__(
        self, overrides: Mapping[str, ModelSettings], kept: KeptLists | None = None
    ) -> None:
        self._overrides = overrides
        self._kept = kept
        self._tables: dict[str, _Table] = {}

    def find(
        self, provider_kind: str, model_id: str, provider_name: str | None = None
    ) -> Model | None:
        """Return what is known of a model under the id it was asked for, or None.

        Dated and undated ids, `models/` and resource prefixes and Bedrock's regions are seen
        through. `provider_name` is the name the provider is configured under, where it is not its
        kind.
        """
        name = provider_name or provider_kind
        row = self._row(provider_kind, model_id)
        override = self._overrides.get(f"{name}/{model_id}")
        if override is None and row is not None:
            override = self._overrides.get(f"{name}/{row.id}")
        if row is None and override is None:
            return None
        return _model(name, model_id, row, override)

    def models(self, provider_kind: str, provider_name: str | None = None) -> list[Model]:
        """Return the models of a provider, those of the configuration first, retired ones last.

        Before those of the table come those that the service listed when it was last asked. Ids
        that are another model with a switch (`…:thinking`) are left out, unless it listed them.
        """
        name = provider_name or provider_kind
        prefix = f"{name}/"
        rows = self._table(provider_kind).rows
        ids = [key[len(prefix) :] for key in self._overrides if key.startswith(prefix)]
        listed = self._kept.of(provider_kind, name) if self._kept is not None else {}
        ids += listed
        ids += [row.id for row in rows.values() if not row.variant]
        found = [self._shown(provider_kind, id, name, listed) for id in dict.fromkeys(ids)]
        return sorted((model for model in found if model), key=lambda model: model.retired)

    def keep(self, provider_kind: str, provider_name: str, models: list[Model]) -> None:
        """Let `models` be in the provider's list from now on, in every process of this user."""
        if self._kept is not None:
            self._kept.keep(provider_kind, provider_name, models)

    def has(self, provider_kind: str, model_id: str, provider_name: str) -> bool:
        """Say whether a provider has the model, as the tables or the service itself say."""
        if self.find(provider_kind, model_id, provider_name) is not None:
            return True
        return self._kept is not None and model_id in self._kept.of(provider_kind, provider_name)

    def _shown(self, kind: str, model: str, name: str, listed: Mapping[str, Model]) -> Model | None:
        """Return a model as a list shows it: what the service says of it beats the table."""
        known, said = self.find(kind, model, name), listed.get(model)
        if said is None:
            return known
        if known is None:
            return msgspec.structs.replace(said)  # whoever gets it may change it
        own = self._overrides.get(f"{name}/{model}")
        if own is None or own.context_window is None:
            known.context_window = said.context_window or known.context_window
        if own is None or own.max_output_tokens is None:
            known.max_output_tokens = said.max_output_tokens or known.max_output_tokens
        known.source, known.retired, known.asked_at = "live", said.retired, said.asked_at
        return known

    def price(
        self, provider_kind: str, model_id: str, provider_name: str | None = None
    ) -> Price | None:
        """Return a model's price, None where it is not known."""
        model = self.find(provider_kind, model_id, provider_name)
        if model is not None and model.price is not None:
            return model.price
        return Price(0.0, 0.0) if provider_kind in _FREE else None

    def _row(self, kind: str, model: str) -> _Row | None:
        row = self._table(kind).find(model)
        if row is None and kind == "openrouter":
            maker, _, name = model.partition("/")
            if maker == "anthropic":
                name = name.replace(".", "-")  # claude-sonnet-4.5 is claude-sonnet-4-5 at home
            if maker in _MAKERS:
                row = self._table(_MAKERS[maker]).find(name)
        return row

    def _table(self, kind: str) -> _Table:
        kind = _SAME_AS.get(kind, kind)
        table = self._tables.get(kind)
        if table is None:
            table = self._tables[kind] = _Table(_read(kind))
        return table


def _read(kind: str) -> list[_Row]:
    # A kind names a file only if there is such a file: it comes from the configuration.
    if not kind.replace("-", "").isalnum():
        return []
    try:
        data = (_DATA / f"{kind}.json").read_bytes()
    except FileNotFoundError:
        return []
    return msgspec.json.decode(data, type=list[_Row])


def _price(figures: list[float | None] | None) -> Price | None:
    if figures is None:
        return None
    given, out, read, write = [*figures, None, None][:4]
    if given is None or out is None:
        return None
    return Price(given, out, read, write)


def _overridden(price: Price | None, own: PriceSettings | None) -> Price | None:
    """Return `price` with the user's figures; a new input or output price ends the tiers."""
    if own is None:
        return price
    given, out = own.input_per_m_tok, own.output_per_m_tok
    tiers_end = given is not None or out is not None
    if price is not None:
        given = price.input if given is None else given
        out = price.output if out is None else out
    if given is None or out is None:
        return None
    read, write = own.cache_read_per_m_tok, own.cache_write_per_m_tok
    if price is not None:
        read = price.cache_read if read is None else read
        write = price.cache_write if write is None else write
    made = Price(given, out, read, write)
    if price is not None and not tiers_end:
        made.beyond_tokens, made.beyond = price.beyond_tokens, price.beyond
    return made


def _features(flags: list[str]) -> ModelFeatures:
    return ModelFeatures(
        tools="tools" in flags,
        vision="vision" in flags,
        reasoning="reasoning" in flags,
        prompt_cache="promptCache" in flags,
        fim="fim" in flags,
    )


def _model(provider: str, model: str, row: _Row | None, own: ModelSettings | None) -> Model:
    known = Model(model, provider)
    if row is not None:
        known.context_window = row.window
        known.max_output_tokens = row.output
        known.features = _features(row.features)
        known.retired = row.retired
        known.price = _price(row.price)
        if known.price is not None and row.beyond is not None:
            known.price.beyond_tokens = row.beyond_tokens
            known.price.beyond = _price(row.beyond)
    if own is not None:
        known.context_window = own.context_window or known.context_window
        known.max_output_tokens = own.max_output_tokens or known.max_output_tokens
        known.price = _overridden(known.price, own.prices)
    return known
