"""Finds a key where the configuration says it is, at first use, and keeps it.

Five sources: an environment variable, a program's output, a file, the operating system's keychain,
the configuration itself. The key is known to this object, to the redactor and to the request it is
put into; no error, repr or process list shows it. Every failure is `NotConfigured` and says what to
do about it.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from providers.auth.command import CommandFailed, run_command
from providers.auth.env import without_keys
from providers.auth.redact import Redactor
from providers.errors import NotConfigured
from providers.extras import install_command
from providers.settings import Key, KeySource

_FILE_LIMIT = 64 * 1024
"""Bytes. The longest keys in use, service-account tokens, are below 8 kB."""

_PAUSE_AFTER_FAILURE = 10.0
"""Seconds in which a program or keychain that refused is not asked again: both may open a dialogue,
and inline completion asks for the key at every pause in typing."""


_NOT_FOR_PROGRAMS = ("GPG_TTY",)
"""Names the editor's terminal to an agent outside our session, which would ask there and hang."""


class KeyResolver:
    """One key of one provider. `get` may be called by many tasks at once: it is found once.

    `field` is the setting's name in the provider's table.
    """

    def __init__(
        self,
        source: Key | None,
        *,
        environ: Mapping[str, str],
        env_names: tuple[str, ...] = (),
        provider: str,
        field: str = "apiKey",
    ) -> None:
        self._setting = f"providers.{provider}.{field}"
        self._source = source or None  # an empty text is no key
        self._environ = environ
        self._env_names = env_names
        self._provider = provider
        self._redactor = Redactor()
        if isinstance(self._source, str):
            self._redactor.learn(self._source)  # before anybody could log the configuration
        self._key: str | None = None
        self._search: asyncio.Task[str] | None = None
        self._failure: NotConfigured | None = None
        self._ask_again_at = 0.0

    def __repr__(self) -> str:
        return f"KeyResolver({self._provider!r}, {self.describe()!r})"

    @property
    def configured(self) -> bool:
        """Whether anything is named that should give a key; it may still turn out not to."""
        return self.describe() is not None

    def describe(self) -> str | None:
        """Return where the key comes from ("env OPENAI_API_KEY"), None if nothing is named."""
        source = self._source
        if source is None:
            name = self._first_env_name()
            return None if name is None else f"env {name}"
        if isinstance(source, str):
            return "literal"
        if source.env is not None:
            return f"env {source.env}"
        if source.command is not None:
            program = source.command[0] if source.command else "(empty)"
            return f"command {os.path.basename(program)}"
        if source.file is not None:
            return f"file {source.file}"
        return f"keyring {source.keyring}"

    async def get(self) -> str:
        """Return the key. Raises `NotConfigured` where there is none."""
        if self._key is not None:
            return self._key
        source = self._source
        if source is None or isinstance(source, str) or source.env is not None:
            self._key = self._checked(self._at_hand())
            return self._key
        if self._failure is not None:
            if asyncio.get_running_loop().time() < self._ask_again_at:
                raise self._own_copy(self._failure)
            self._failure = None
        if self._search is None:
            self._search = asyncio.create_task(self._find(source))
            self._search.add_done_callback(self._search_done)
        # A request that is cancelled does not end the search: another one may be waiting for it,
        # and the next one would have to ask the person for the passphrase again.
        try:
            return await asyncio.shield(self._search)
        except NotConfigured as error:
            raise self._own_copy(error) from None

    def forget(self) -> None:
        """Find the key anew at the next `get`: the service has refused the one we have."""
        self._key = None
        self._failure = None
        self._search = None  # one that is under way may bring the refused key

    def _at_hand(self) -> str:
        """Return a key that needs no waiting: the environment's or the configuration's own."""
        if isinstance(self._source, str):
            return self._source
        name = self._first_env_name() if self._source is None else self._source.env
        if name is None:
            raise self._not_configured(self._no_source())
        value = self._environ.get(name, "")
        if not value.strip():
            raise self._not_configured(f"the environment variable {name} is not set or empty")
        return value

    def _first_env_name(self) -> str | None:
        return next((n for n in self._env_names if self._environ.get(n, "").strip()), None)

    def _no_source(self) -> str:
        if self._env_names:
            return f"no key: set {' or '.join(self._env_names)}, or `{self._setting}`"
        return f"no key: set `{self._setting}`"

    async def _find(self, source: KeySource) -> str:
        try:
            if source.command is not None:
                found = await self._from_command(source.command)
            elif source.file is not None:
                found = await self._from_file(source.file)
            else:
                found = await self._from_keyring(source.keyring or "")
            return self._checked(found)
        except NotConfigured as error:
            if source.file is None:
                self._failure = error
                loop = asyncio.get_running_loop()
                self._ask_again_at = loop.time() + _PAUSE_AFTER_FAILURE
            raise

    def _search_done(self, search: "asyncio.Task[str]") -> None:
        # Asking for the exception marks it as seen, where everyone who waited has been cancelled.
        failed = search.cancelled() or search.exception() is not None
        if self._search is search:
            self._search = None
            if not failed:
                self._key = search.result()

    def _checked(self, found: str) -> str:
        """A key becomes a header's value: one that could end the header is refused."""
        key = found.strip()
        self._redactor.learn(key)
        if not key:
            raise self._not_configured(f"the key from {self.describe()} is empty")
        if "\n" in key or "\r" in key:
            raise self._not_configured(
                f"the key from {self.describe()} has more than one line: expected the key alone"
            )
        if not (key.isascii() and key.isprintable()):
            raise self._not_configured(
                f"the key from {self.describe()} contains characters no key has"
                " (expected printable ASCII)"
            )
        return key

    async def _from_command(self, argv: list[str]) -> str:
        environ = without_keys(self._environ)
        for name in _NOT_FOR_PROGRAMS:
            environ.pop(name, None)
        try:
            return await run_command(argv, environ=environ)
        except CommandFailed as error:
            reason = self._redactor.mask(str(error))
            raise self._not_configured(
                f"the {self.describe()} of `{self._setting}` {reason}"
            ) from None

    async def _from_file(self, name: str) -> str:
        try:
            content = await asyncio.to_thread(_read_file, name)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise self._not_configured(f"the key file {name} cannot be read: {reason}") from None
        if content is None:
            raise self._not_configured(f"the key file {name} is not a regular file")
        if len(content) > _FILE_LIMIT:
            raise self._not_configured(f"the key file {name} is larger than 64 KiB: not a key")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise self._not_configured(f"the key file {name} is not text") from None

    async def _from_keyring(self, name: str) -> str:
        service, slash, user = name.rpartition("/")
        if not slash or not service or not user:
            raise self._not_configured('`keyring` is written as "service/user"')
        try:
            found = await asyncio.to_thread(_keychain_password, service, user)
        except ImportError:
            raise self._not_configured(
                f"the keychain needs the extra `keyring`. Run: {install_command('keyring')}"
            ) from None
        except Exception as error:  # noqa: BLE001 (each backend of keyring raises its own)
            reason = self._redactor.mask(str(error)) or type(error).__name__
            raise self._not_configured(f"the keychain cannot be read: {reason}") from None
        if not found:
            raise self._not_configured(
                f"the keychain has no entry {name}: `ai-sidecar keys set` makes one"
            )
        return found

    def _not_configured(self, message: str) -> NotConfigured:
        return NotConfigured(f"{self._provider}: {message}", provider=self._provider)

    def _own_copy(self, failure: NotConfigured) -> NotConfigured:
        """One failure ends many requests, and each writes its attempts into its own exception."""
        return NotConfigured(failure.message, provider=self._provider)


def _read_file(name: str) -> bytes | None:
    """Return the content, one byte more than the limit at most; None for a pipe or a device.

    Reading those could wait for ever, and a thread that waits keeps the process from ending.
    """
    path = Path.home() / os.path.expanduser(name)  # never relative to the workspace
    if not path.is_file() and path.exists():
        return None
    with path.open("rb") as file:
        return file.read(_FILE_LIMIT + 1)


def _keychain_password(service: str, user: str) -> str | None:
    import keyring  # an optional extra, and slow to import

    return keyring.get_password(service, user)
