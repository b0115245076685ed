"""`KeyPool`: several keys of one provider, asked in turn, each with a cooldown of its own.

A key that the service does not know (401) is retired; one that has used up its rate or its quota
rests. A pool of one is what most people have: it is a `KeyResolver` and nothing more.
"""

from collections.abc import Callable, Iterable, Mapping

from providers.auth.keys import KeyResolver
from providers.errors import Authentication, ProviderError, Quota, RateLimited
from providers.settings import Key

RATE_REST = 30.0
"""Seconds that a key rests after a rate limit which did not say how long."""

QUOTA_REST = 3600.0
"""Seconds that a key rests once its quota is used up: somebody may pay in the meantime."""


class _Slot:
    __slots__ = ("key", "rests_until", "retired", "source")

    def __init__(self, source: KeyResolver) -> None:
        self.source = source
        self.key = ""
        self.rests_until = 0.0
        self.retired = False


class KeyPool:
    """The keys of one provider. `clock` gives seconds of any steady clock.

    `field` is the name of the setting that names them.
    """

    def __init__(
        self,
        keys: Key | list[Key] | None,
        *,
        environ: Mapping[str, str],
        env_names: tuple[str, ...] = (),
        provider: str,
        clock: Callable[[], float],
        field: str = "apiKey",
    ) -> None:
        sources: list[Key | None] = [*keys] if isinstance(keys, list) else [keys]
        named = [f"{field}[{i}]" for i in range(len(sources))] if len(sources) > 1 else [field]
        self._slots = [
            _Slot(
                KeyResolver(
                    source, environ=environ, env_names=env_names, provider=provider, field=own
                )
            )
            for source, own in zip(sources or [None], named, strict=True)
        ]
        self._clock = clock
        self._turn = 0

    def __repr__(self) -> str:
        return f"KeyPool({self.describe()!r})"

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def configured(self) -> bool:
        """Whether anything is named that should give a key."""
        return any(slot.source.configured for slot in self._slots)

    def describe(self) -> str | None:
        """Return where the keys come from ("env OPENAI_API_KEY"), None if nothing is named."""
        said = [text for slot in self._slots if (text := slot.source.describe())]
        return ", ".join(dict.fromkeys(said)) or None

    def fit(self) -> list[int]:
        """Return the numbers of the keys that neither rest nor are retired."""
        return [number for number, slot in enumerate(self._slots) if self._usable(slot)]

    async def get(self, number: int | None = None) -> str:
        """Return the key of this number while it is fit, else the one whose turn it is.

        Raises `NotConfigured` where there is none.
        """
        chosen = None if number is None else self._slots[number]
        slot = chosen if chosen is not None and self._usable(chosen) else self._next()
        slot.key = await slot.source.get()
        return slot.key

    def failed(self, sent: Iterable[str], error: ProviderError) -> None:
        """Let a key rest, or retire it, after an answer to a request that `sent` these headers."""
        values = list(sent)
        for slot in self._slots:
            if slot.key and any(slot.key in value for value in values):
                self._blame(slot, error)

    async def recover(self, error: ProviderError) -> bool:
        """Say whether, after `error`, there is another key to try at once.

        After a 401 the only key is resolved again, once: it may have been renewed outside.
        """
        if not isinstance(error, Authentication | RateLimited | Quota):
            return False
        if len(self._slots) > 1:
            return any(self._usable(slot) for slot in self._slots)
        slot = self._slots[0]
        if not isinstance(error, Authentication) or not slot.source.configured:
            return False
        before = slot.key
        slot.source.forget()
        slot.key = await slot.source.get()
        slot.retired = False
        return slot.key != before

    def _blame(self, slot: _Slot, error: ProviderError) -> None:
        now = self._clock()
        if isinstance(error, Authentication):
            slot.retired = True
        elif isinstance(error, RateLimited):
            slot.rests_until = now + (error.retry_after or RATE_REST)
        elif isinstance(error, Quota):
            slot.rests_until = now + QUOTA_REST

    def _usable(self, slot: _Slot) -> bool:
        return not slot.retired and slot.rests_until <= self._clock()

    def _next(self) -> _Slot:
        """The next key that is fit; if none is, the one that will be first, or any retired one."""
        if len(self._slots) == 1:
            return self._slots[0]
        turn = self._turn
        self._turn += 1
        ring = [self._slots[(turn + i) % len(self._slots)] for i in range(len(self._slots))]
        for slot in ring:
            if self._usable(slot):
                return slot
        return min(ring, key=lambda slot: (slot.retired, slot.rests_until))
