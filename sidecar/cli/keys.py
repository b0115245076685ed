"""`ai-sidecar keys set|list|remove`: keys in the operating system's keychain.

A key is typed unseen or piped in. It is never an argument: arguments are in the shell's history and
in everybody's process list. No subcommand shows one.
"""

import os
import sys
from typing import Protocol, cast

from providers.auth.env import PROVIDER_ENV, key_names
from providers.auth.keys import KeyResolver
from providers.auth.redact import Redactor
from providers.extras import install_command
from providers.settings import ProviderSettings
from sidecar.cli import output
from sidecar.cli.output import FAILED, OK
from sidecar.config import ConfigStore

SERVICE = "ai-sidecar"
"""The keychain's name for all our entries; the user is the provider's name."""

_LONGEST = 64 * 1024


class _NoKeychain(Exception):
    """The message says what to do."""


class _Keychain(Protocol):
    """What is used of the `keyring` package."""

    def get_password(self, service_name: str, username: str) -> str | None: ...
    def set_password(self, service_name: str, username: str, password: str) -> None: ...
    def delete_password(self, service_name: str, username: str) -> None: ...


@output.command
def run(argv: list[str]) -> int:
    """Run `keys`. Return 0, or 1 if the keychain cannot be used or has no such key."""
    parser = output.parser("keys", "Keys in the operating system's keychain.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, what in (
        ("set", "store a provider's key; it is asked for, or read from stdin where that is piped"),
        ("remove", "remove a provider's key"),
    ):
        action = actions.add_parser(name, help=what, description=what)
        action.add_argument("provider", help="the provider's name in the configuration")
    actions.add_parser("list", help="say where each provider's key comes from")
    args = parser.parse_args(argv)
    try:
        if args.action == "list":
            return _list()
        keychain = _open()
        if args.action == "set":
            return _set(keychain, args.provider)
        return _remove(keychain, args.provider)
    except _NoKeychain as error:
        output.complain(str(error))
        return FAILED


def _open() -> _Keychain:
    """Return the keychain. Raises `_NoKeychain` where there is none to be used."""
    try:
        import keyring
        from keyring.backends.fail import Keyring as NoBackend
    except ImportError:
        raise _NoKeychain(
            f"the keychain needs the extra `keyring`. Run: {install_command('keyring')}"
        ) from None
    backend = keyring.get_keyring()
    if isinstance(backend, NoBackend):
        raise _NoKeychain(
            "this system has no keychain that can be used (on Linux: a Secret Service such as"
            " gnome-keyring, unlocked); name a file or a command as `apiKey` instead"
        )
    return cast("_Keychain", backend)


def _set(keychain: _Keychain, provider: str) -> int:
    store = ConfigStore(os.environ)
    settings = store.config.providers.get(provider)
    if settings is None and provider not in PROVIDER_ENV:
        output.complain(f"there is no provider `{provider}` in {store.user_file}")
        return FAILED
    key = _read_key(provider)
    problem = _problem(key)
    if problem is not None:
        output.complain(problem)
        return FAILED
    try:
        keychain.set_password(SERVICE, provider, key)
    except Exception as error:  # noqa: BLE001 (each backend of keyring raises its own)
        raise _refusal(error) from None
    output.line(f"stored: {SERVICE}/{provider}")
    if settings is None or _source(provider, settings) != f"keyring {SERVICE}/{provider}":
        output.line(f"To use it, put this into {store.user_file}:")
        output.line(f"  [providers.{provider}]")
        output.line(f'  apiKey = {{ keyring = "{SERVICE}/{provider}" }}')
    return OK


def _read_key(provider: str) -> str:
    if output.is_terminal(sys.stdin):
        from getpass import getpass

        key = getpass(f"API key of {provider} (not shown): ")
    else:
        key = sys.stdin.read(_LONGEST + 1)
    key = key.strip()
    Redactor().learn(key)
    return key


def _problem(key: str) -> str | None:
    if not key:
        return "no key was given"
    if len(key) > _LONGEST or not (key.isascii() and key.isprintable()):
        return "that is no key: expected one line of printable ASCII"
    return None


def _remove(keychain: _Keychain, provider: str) -> int:
    try:
        if keychain.get_password(SERVICE, provider) is None:
            output.complain(f"the keychain has no entry {SERVICE}/{provider}")
            return FAILED
        keychain.delete_password(SERVICE, provider)
    except Exception as error:  # noqa: BLE001 (each backend of keyring raises its own)
        raise _refusal(error) from None
    output.line(f"removed: {SERVICE}/{provider}")
    return OK


def _list() -> int:
    try:
        keychain = _open()
    except _NoKeychain as error:
        output.complain(str(error))
        keychain = None
    providers = ConfigStore(os.environ).config.providers
    rows: list[tuple[str, str, str]] = []
    for name in dict.fromkeys([*providers, *PROVIDER_ENV]):
        source = _source(name, providers.get(name, ProviderSettings()))
        stored = keychain is not None and _has(keychain, name)
        if name in providers or stored:
            rows.append((name, source or "none", "yes" if stored else "no"))
    if not rows:
        output.line("no provider is configured, and the keychain has no key")
    output.table(("PROVIDER", "KEY FROM", "IN KEYCHAIN"), rows)
    return OK


def _has(keychain: _Keychain, provider: str) -> bool:
    try:
        return keychain.get_password(SERVICE, provider) is not None
    except Exception as error:  # noqa: BLE001 (each backend of keyring raises its own)
        raise _refusal(error) from None


def _refusal(error: Exception) -> _NoKeychain:
    return _NoKeychain(f"the keychain refused: {error or type(error).__name__}")


def _source(name: str, settings: ProviderSettings) -> str | None:
    """Return where the key of a provider comes from; of several, all of them."""
    keys = settings.api_key if isinstance(settings.api_key, list) else [settings.api_key]
    found: list[str] = []
    for key in [*keys, settings.auth_token, settings.access_token]:
        names = key_names(settings.kind or name) if key is settings.api_key else ()
        source = KeyResolver(key, environ=os.environ, env_names=names, provider=name).describe()
        if source is not None and source not in found:
            found.append(source)
    return ", ".join(found) or None
