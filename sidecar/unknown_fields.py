"""Notices fields of a request that the protocol does not know: ignored, but likely misspelled."""

import logging

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from protocol.methods import METHODS
from sidecar.envelope import decode_params

logger = logging.getLogger(__name__)

_MOST = 1000
"""Names remembered: a client that sends random ones must not fill the memory, nor the log."""

_top_level = msgspec.json.Decoder(dict[str, Raw])


class UnknownFields:
    """Logs each unknown name once per method."""

    def __init__(self) -> None:
        self._known = {m: _names(t.params) for m, t in METHODS.items()}
        self._decoders = {m: Decoder(t.params) for m, t in METHODS.items()}
        self._strict: dict[str, Decoder[Struct]] = {}
        self._told: set[tuple[str, str]] = set()

    def decode(self, method: str, raw: Raw) -> Struct:
        """Return a method's params, a look at their names included. Raises `RpcError`.

        Nearly always all names are known: then one look is enough.
        """
        strict = self._strict.get(method)
        if strict is None:
            strict = self._strict[method] = _strict_decoder(METHODS[method].params)
        try:
            return strict.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            params = decode_params(self._decoders[method], raw)
        self.note(method, raw)
        return params

    def note(self, method: str, params: Raw) -> None:
        """Look at params that have been decoded without an error.

        Raises `RpcError` for a name that is not UTF-8: the decoder passed over it unread.
        """
        for name in decode_params(_top_level, params).keys() - self._known[method]:
            if (method, name) not in self._told and len(self._told) < _MOST:
                self._told.add((method, name))
                logger.info("%s: unknown field %r was ignored", method, name[:80])


def _strict_decoder(params: type[Struct]) -> Decoder[Struct]:
    return Decoder(
        msgspec.defstruct(params.__name__, (), bases=(params,), forbid_unknown_fields=True)
    )


def _names(params: type[Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(params))
