"""The layer of environment variables: what the services' own SDKs would read.

It depends on the layers above it, because a provider of any name may be of a kind that has
variables: the user's tables say which there are.
"""

from collections.abc import Mapping
from typing import cast

from providers.auth.env import PROVIDER_ENV, configured_kinds, environment_settings
from sidecar.config.clean import Cleaner, Tree
from sidecar.config.merge import merge
from sidecar.config.model import Config
from sidecar.config.problems import ConfigProblem


def environment_layer(environ: Mapping[str, str], above: Tree) -> tuple[Tree, list[ConfigProblem]]:
    """Return the tree of what `environ` says, for the providers of `above` and its own.

    Providers come in the order of their kinds' rows, which is the order in which the first
    configured one is looked for.
    """
    named: Tree = above.get("providers", {})
    kinds = {name: cast("str", table.get("kind") or name) for name, table in named.items()}
    for kind in configured_kinds(environ):
        kinds.setdefault(kind, kind)
    order = {kind: index for index, kind in enumerate(PROVIDER_ENV)}
    tree: Tree = {}
    problems: list[ConfigProblem] = []
    for name in sorted(kinds, key=lambda name: order.get(kinds[name], len(order))):
        tree = merge(tree, {"providers": {name: {}}})
        for setting in environment_settings(kinds[name], environ):
            own_key = name != kinds[name] and "api_key" in named.get(name, {})
            if own_key and setting.field == "baseUrl":
                continue  # a second account: the environment's address goes with its own key
            cleaner = Cleaner(f"environment variable {setting.variable}")
            data = {"providers": {name: {setting.field: setting.value}}}
            tree = merge(tree, cleaner.table(Config, data))
            problems += cleaner.problems
    return tree, problems
