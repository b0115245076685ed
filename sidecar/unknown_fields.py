"""Notices fields of a request that the contract does not know: ignored, but likely misspelled."""

import logging

import msgspec
from msgspec import Raw, Struct

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
        self._told: set[tuple[str, str]] = set()

    def note(self, method: str, params: Raw) -> None:
        """Look at params that have been decoded without an error.

        Raises `RpcError` for a name that is not UTF-8: the decoder passed over it unread.
        """
        for name in decode_params(_top_level, params).keys() - self._known[method]:
            if (method, name) not in self._told and len(self._told) < _MOST:
                self._told.add((method, name))
                logger.info("%s: unknown field %r was ignored", method, name[:80])


def _names(params: type[Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(params))
