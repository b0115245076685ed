"""Names of providers in a layer that mean nothing, taken out of it.

What is left then is what a weaker layer says, or the built-in rule: one wrong name neither stops
every request nor the chain it stands in. It knows the layers' trees and no provider.
"""

from collections.abc import Collection
from typing import cast

import msgspec

from providers.auth.env import PROVIDER_ENV
from providers.settings import RouteSettings
from sidecar.config.clean import Cleaner, Tree
from sidecar.config.problems import join, nearest

_FEW = 8

_ALIKE = 0.75
"""So like a kind's name is a typing error of it; `nope` and `openai` are not."""


def mend(tree: Tree, configured: Collection[str], cleaner: Cleaner) -> Tree:
    """Return a layer's `tree` without the names that are no provider's, reporting each.

    `configured`: the names of all layers' provider tables. Raises nothing.
    """
    names = _Names(configured, cleaner)
    mended = dict(tree)
    if "default" in tree and not names.mean("default", tree["default"]):
        del mended["default"]
    for table in ("inline", "actions"):
        provider = tree.get(table, {}).get("provider")
        if provider is not None and not names.mean(f"{table}.provider", provider):
            mended[table] = {k: v for k, v in tree[table].items() if k != "provider"}
    chain = cast("list[str]", tree.get("fallback", {}).get("chain", []))
    kept = [t for i, t in enumerate(chain) if names.mean(f"fallback.chain[{i}]", t)]
    if len(kept) < len(chain):
        rest = {k: v for k, v in tree["fallback"].items() if k != "chain"}
        mended["fallback"] = {**rest, "chain": kept} if kept else rest
    if "routes" in tree:
        mended["routes"] = _routes(tree["routes"], names)
    for name in tree.get("limits", {}):
        names.mean(join("limits", name), name)  # limits nobody: told, and harmless
    return mended


def _routes(routes: list[RouteSettings], names: "_Names") -> list[RouteSettings]:
    """A route that is left without anybody is left out: the next that fits counts."""
    mended: list[RouteSettings] = []
    for i, route in enumerate(routes):
        kept = [
            member
            for j, member in enumerate(route.providers)
            if names.mean(
                f"routes[{i}].providers[{j}]",
                member if isinstance(member, str) else member.provider,
            )
        ]
        if len(kept) == len(route.providers):
            mended.append(route)
        elif kept:
            mended.append(msgspec.structs.replace(route, providers=kept))
    return mended


class _Names:
    """What a name may be: a provider table's, or a kind's."""

    def __init__(self, configured: Collection[str], cleaner: Cleaner) -> None:
        self._configured = configured
        self._cleaner = cleaner

    def mean(self, path: str, target: str) -> bool:
        """Say whether `target` ("provider" or "provider/model") names a provider; report if not."""
        name = target.partition("/")[0]
        if any(known in self._configured or known in PROVIDER_ENV for known in (target, name)):
            return True
        hint = self._hint(name)
        message = 'expected a configured provider, or "provider/model"'
        self._cleaner.report(path, f"{message}: {hint}" if hint else message)
        return False

    def _hint(self, name: str) -> str:
        """What somebody has configured is meant more often than what they have not."""
        if near := nearest(name, self._configured) or nearest(name, PROVIDER_ENV, _ALIKE):
            return near
        if not 0 < len(self._configured) <= _FEW:
            return nearest(name, PROVIDER_ENV)
        names = ", ".join(f"`{join('', known)}`" for known in self._configured)
        return f"{names} {'is' if len(self._configured) == 1 else 'are'} configured"
