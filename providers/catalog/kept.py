"""`KeptLists`: the services' own lists of models, as they were when somebody last asked for them.

One file for each provider, shared by all processes of a user: what one of them asked for
(`ai/models` with `refresh`, `ai-sidecar models --refresh`), the others find. A file is bound to
where the provider is (kind, address, region, project), so that a list of one service is never shown
as another's. It is a cache: one that cannot be read is passed over, one that cannot be written is
kept for this process only. No key and no price is in it.
"""

import contextlib
import errno
import logging
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from providers.base import Model, ModelFeatures
from providers.folders import Kind, chosen_path, wanted_path
from providers.settings import ProviderSettings

logger = logging.getLogger(__name__)

PATH_VARIABLE = "AI_SIDECAR_MODEL_LISTS"
_USUAL: tuple[Kind, str] = ("cache", "models")

LOOK_AGAIN = 2.0
"""Seconds for which a file is not looked at again: lists are asked for by people."""

_FORMAT = 1
_LARGEST = 16 * 1024 * 1024  # OpenRouter's, the longest known, takes 60 kB
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,40}")
_PLACE = ("base_url", "endpoint", "region", "location", "project", "profile", "organization")


class _Entry(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    id: str
    window: int | None = None
    output: int | None = None
    retired: bool = False
    features: ModelFeatures = ModelFeatures()


class _Head(msgspec.Struct):
    format: int


class _List(msgspec.Struct, rename="camel"):
    """`asked_at` in seconds since 1970."""

    format: int
    asked_at: float
    models: list[_Entry]


class _Read(msgspec.Struct):
    """What a file held when it was last looked at; `stamp` is its time and size."""

    looked_at: float
    stamp: tuple[int, int] | None
    models: dict[str, Model]


def locate_in(environ: Mapping[str, str]) -> Callable[[], Path] | None:
    """Return what finds the folder when it is needed; None where the user wants none (`off`)."""
    return wanted_path(environ, PATH_VARIABLE, *_USUAL)


def lists_folder(environ: Mapping[str, str]) -> Path:
    """Return where the lists are kept."""
    return chosen_path(environ, PATH_VARIABLE, *_USUAL)


class KeptLists:
    """`folder` finds the folder when it is first needed; without it nothing is kept.

    `clock` is in seconds, `wall` in seconds since 1970.
    """

    def __init__(
        self,
        folder: Callable[[], Path] | None,
        providers: Mapping[str, ProviderSettings],
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._locate = folder
        self._providers = providers
        self._clock = clock
        self._wall = wall
        self._read: dict[str, _Read] = {}
        self._names: dict[tuple[str, str], str] = {}

    def configure(self, providers: Mapping[str, ProviderSettings]) -> None:
        """Take over a new configuration."""
        self._providers = providers
        self._names.clear()

    def of(self, kind: str, provider: str) -> dict[str, Model]:
        """Return what was listed last, by id; nothing if the provider was never asked there."""
        if self._locate is None:
            return {}
        name = self._file_of(kind, provider)
        held, now = self._read.get(name), self._clock()
        if held is not None and now - held.looked_at < LOOK_AGAIN:
            return held.models
        path = _path(self._locate, name)
        stamp = _stamp(path) if path is not None else None
        if held is None or (stamp is not None and stamp != held.stamp):
            models = {} if path is None or stamp is None else _load(path, provider)
            held = self._read[name] = _Read(now, stamp, models)
        held.looked_at = now
        return held.models

    def keep(self, kind: str, provider: str, models: list[Model]) -> None:
        """Keep what the service has just listed, in the place of what was kept of it before."""
        listed = [model for model in models if model.source == "live"]
        if self._locate is None or not listed:
            return
        asked_at = self._wall()
        entries = [
            _Entry(m.id, m.context_window, m.max_output_tokens, m.retired, m.features)
            for m in listed
        ]
        name = self._file_of(kind, provider)
        path = _path(self._locate, name)
        stamp = None
        try:
            if path is None:
                raise OSError(errno.ENOENT, "there is no home for it")
            _write(path, msgspec.json.encode(_List(_FORMAT, asked_at, entries)))
            stamp = _stamp(path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            logger.warning("the list of models of %s cannot be kept: %s", provider, reason)
        found = {entry.id: _model(entry, provider, asked_at) for entry in entries}
        self._read[name] = _Read(self._clock(), stamp, found)

    def _file_of(self, kind: str, provider: str) -> str:
        known = self._names.get((kind, provider))
        if known is not None:
            return known
        settings = self._providers.get(provider)
        place = [getattr(settings, field, None) or "" for field in _PLACE]
        from hashlib import sha256  # no list is asked for before the first answer

        digest = sha256("\0".join([kind, provider, *place]).encode()).hexdigest()[:16]
        shown = provider if _PLAIN.fullmatch(provider) else kind
        name = self._names[kind, provider] = f"{shown}-{digest}.json"
        return name


def _path(locate: Callable[[], Path], name: str) -> Path | None:
    """Return where a file is, None for a user without a home."""
    try:
        return locate() / name
    except RuntimeError:
        return None


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes with a file; None if it is none: to open a pipe could wait for ever."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_mtime_ns, found.st_size


def _load(path: Path, provider: str) -> dict[str, Model]:
    """Return what is in a file; nothing of one that is damaged, or of another version's format."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ValueError("it is too large")
        if msgspec.json.decode(data, type=_Head).format != _FORMAT:
            return {}
        kept = msgspec.json.decode(data, type=_List)
    except (OSError, ValueError, RecursionError) as error:  # msgspec's own are ValueErrors
        logger.warning(
            "the kept list of models of %s is passed over: %s: %s", provider, path, error
        )
        return {}
    return {entry.id: _model(entry, provider, kept.asked_at) for entry in kept.models}


def _model(entry: _Entry, provider: str, asked_at: float) -> Model:
    return Model(
        id=entry.id,
        provider=provider,
        context_window=entry.window,
        max_output_tokens=entry.output,
        features=entry.features,
        source="live",
        retired=entry.retired,
        asked_at=asked_at,
    )


def _write(path: Path, data: bytes) -> None:
    """Replace the file in one step. Raises `OSError`."""
    import tempfile  # with bz2, lzma and random, for those who refresh a list only

    if len(data) > _LARGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
