"""What every dialect offers: the port between pure formats and the vendors that send them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal

from providers.errors import ResponseError
from providers.types import ChatRequest, CompletionRequest, StreamToken

Framing = Literal["sse", "ndjson", "json_array", "eventstream"]

NOTHING_CITED: frozenset[str] = frozenset()
"""What a reader begins with that tells each source once. CPython makes every empty set anew, 216
bytes of it, and there is one reader for each stream that runs."""


class Reader(ABC):
    """Turns the frames of one streamed answer into tokens. Made anew for each answer.

    `finished` becomes true with the format's terminal event; one that ends before is truncated.
    """

    finished: bool = False

    @abstractmethod
    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        """Append the tokens of one frame to `out`.

        `event` is the frame's name ("" or "message" where the format has none), `data` its payload.
        Raises `Malformed` for what is not the format, and the service's own error event as the
        `ResponseError` it stands for. A raise never loses tokens that were appended before it.
        """

    @abstractmethod
    def end(self, out: list[StreamToken]) -> None:
        """Append what is still held back (a final `UsageReport`, a joined surrogate, `Finish`).

        Called once, at the clean end of the body. Raises `Truncated` if the answer is not whole.
        """


class Dialect(ABC):
    """A wire format. Instances hold an immutable profile of the endpoint and no other state."""

    framing: Framing = "sse"

    @abstractmethod
    def path(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> str:
        """Return what is appended to the provider's base URL, with a leading slash."""

    @abstractmethod
    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        """Return the JSON body, before `provider_options` are merged into it.

        Raises `providers.errors.Unsupported` naming the field that this format cannot carry.
        """

    @abstractmethod
    def reader(self) -> Reader:
        """Return a reader for one streamed answer."""

    @abstractmethod
    def read_unary(self, body: bytes) -> list[StreamToken]:
        """Return the tokens of a whole (not streamed) answer, `Finish` included.

        Raises `Malformed` if `body` is not what the format says, or the error it carries.
        """

    @abstractmethod
    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ResponseError:
        """Return the error that an answer of this status (not 2xx) stands for.

        `headers` have lower-case names. The provider's own message is contained in the error's;
        a body that is no JSON (an HTML page of a gateway) is summed up in one short line.
        """
