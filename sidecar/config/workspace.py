"""What a workspace may set: which provider and model, and fewer completions and edits.

A workspace's settings come with the code that is opened in it, so whoever wrote that code wrote
them. They may choose among what the user has configured; they may not say where a key goes, nor
have anything sent that the user's own settings hold back.
"""

from collections.abc import Callable
from typing import Any, cast

from providers.settings import ProviderSettings
from sidecar.config.clean import REFUSED, Cleaner, Tree, fields_of
from sidecar.config.model import ActionSettings, Config, InlineSettings
from sidecar.config.problems import join

_REFUSAL = "a workspace may not set this: it belongs into the user file; ignored"


def restrict(tree: Tree, user: Config, cleaner: Cleaner) -> Tree:
    """Return the part of a workspace's `tree` that it may set on top of `user`; report the rest."""
    allowed: Tree = {}
    for encoded, field in fields_of(Config).items():
        if field.name not in tree:
            continue
        value = tree[field.name]
        if field.name == "default":
            allowed["default"] = value
        elif field.name == "providers":
            allowed["providers"] = _providers(value, user, cleaner)
        elif field.name == "inline":
            allowed["inline"] = _inline(value, user.inline, cleaner)
        elif field.name == "actions":
            allowed["actions"] = _actions(value, user.actions, cleaner)
        elif not _same(value, getattr(user, field.name)):
            cleaner.report(encoded, _REFUSAL)
    return allowed


def without_plain_http(tree: Tree, file: Tree, cleaner: Cleaner) -> Tree:
    """Return an editor's `tree` without `http.allowPlainHttp`, reported unless `file` says it too.

    Which hosts see a key unencrypted is said in the user file alone: some editors mix a workspace's
    files into what they start a server with.
    """
    http = tree.get("http", {})
    if "allow_plain_http" not in http:
        return tree
    if http["allow_plain_http"] != file.get("http", {}).get("allow_plain_http", []):
        cleaner.report("http.allowPlainHttp", "belongs into the user file; ignored")
    kept = {key: value for key, value in http.items() if key != "allow_plain_http"}
    return {**tree, "http": kept}


def _providers(tree: Tree, user: Config, cleaner: Cleaner) -> Tree:
    """Models of providers that the user has configured."""
    allowed: Tree = {}
    names = {field.name: encoded for encoded, field in fields_of(ProviderSettings).items()}
    for name, settings in tree.items():
        path = join("providers", name)
        current = user.providers.get(name)
        if current is None:
            cleaner.report(path, "not among the providers that the user has configured; ignored")
            continue
        for key, value in settings.items():
            if key == "model":
                allowed[name] = {"model": value}
            elif key != REFUSED and not _same(value, getattr(current, key)):
                cleaner.report(join(path, names[key]), _REFUSAL)
    return allowed


def _inline(tree: Tree, user: InlineSettings, cleaner: Cleaner) -> Tree:
    """What restricts: off, shorter, later, fewer files."""
    allowed: Tree = {}
    names = {field.name: encoded for encoded, field in fields_of(InlineSettings).items()}
    for key, value in tree.items():
        path = join("inline", names[key])
        if key == "ignore":
            added = [glob for glob in value if glob not in user.ignore]
            allowed[key] = [*user.ignore, *added]
        elif key == "languages":
            allowed[key] = _languages(value, user, path, cleaner)
        else:
            _restricted(key, value, user, path, cleaner, allowed)
    return allowed


def _actions(tree: Tree, user: ActionSettings, cleaner: Cleaner) -> Tree:
    """What restricts: off, shorter, less of the document."""
    allowed: Tree = {}
    names = {field.name: encoded for encoded, field in fields_of(ActionSettings).items()}
    for key, value in tree.items():
        _restricted(key, value, user, join("actions", names[key]), cleaner, allowed)
    return allowed


def _restricted(
    key: str,
    value: Any,
    user: InlineSettings | ActionSettings,
    path: str,
    cleaner: Cleaner,
    allowed: Tree,
) -> None:
    """Take a value over if it allows less than the user does; report any other that is new."""
    if _RESTRICTS.get(key, _never)(value, getattr(user, key)):
        allowed[key] = value
    elif value != getattr(user, key):
        cleaner.report(path, "a workspace may only restrict this further; ignored")


def _languages(tree: Tree, user: InlineSettings, path: str, cleaner: Cleaner) -> Tree:
    allowed: Tree = {}
    for language, on in tree.items():
        if not on:
            allowed[language] = False
        elif not user.languages.get(language, True):
            cleaner.report(
                join(path, language), "a workspace may only restrict this further; ignored"
            )
    return allowed


def _never(_value: Any, _current: Any) -> bool:
    return False


_RESTRICTS: dict[str, Callable[[Any, Any], bool]] = {
    "enabled": lambda value, _current: not value,
    "max_tokens": lambda value, current: value <= current,
    "context_tokens": lambda value, current: value <= current,
    "debounce_ms": lambda value, current: value >= current,
}


def _same(value: Any, current: Any) -> bool:
    """Whether a (cleaned) value says only what is in force already.

    An editor answers with the user's own settings and the workspace's in one; those of the user
    need no report.
    """
    if isinstance(value, dict):
        if isinstance(current, dict):
            inner = cast("dict[str, Any]", current)
            return all(k in inner and _same(v, inner[k]) for k, v in cast("Tree", value).items())
        return all(
            _same(v, getattr(current, k, None))
            for k, v in cast("Tree", value).items()
            if k != REFUSED
        )
    return bool(value == current)
