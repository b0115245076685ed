"""Puts layers on top of each other and makes the configuration of what comes out."""

from typing import Any, cast

import msgspec

from providers.settings import Settings
from sidecar.config.clean import REFUSED, Tree, fields_of
from sidecar.config.model import Config


def merge(weak: Tree, strong: Tree) -> Tree:
    """Return `weak` with `strong` on top: tables key by key, everything else replaced."""
    merged = dict(weak)
    for key, value in strong.items():
        below = merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = merge(cast("Tree", below), cast("Tree", value))
        else:
            merged[key] = value
    return merged


def build(tree: Tree) -> Config:
    """Return the configuration that a merged tree says. Raises nothing: values are checked."""
    providers: Tree = {}
    refused: dict[str, str] = {}
    for name, settings in tree.get("providers", {}).items():
        reasons = [reason for reason in settings.get(REFUSED, {}).values() if reason]
        if reasons:
            refused[name] = reasons[0]
        providers[name] = {key: value for key, value in settings.items() if key != REFUSED}
    config = cast("Config", _struct(Config, {**tree, "providers": providers}))
    return msgspec.structs.replace(config, refused=refused) if refused else config


def _struct(cls: type[Settings], tree: Tree) -> Settings:
    values: dict[str, Any] = {}
    for field in fields_of(cls).values():
        if field.name not in tree:
            continue
        value = tree[field.name]
        if field.shape == "table":
            value = _struct(field.item, value)
        elif field.shape == "tables":
            value = {key: _struct(field.item, item) for key, item in value.items()}
        values[field.name] = value
    return cls(**values)
