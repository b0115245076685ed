"""What can go wrong below the HTTP client, by the names that httpx has for it.

Raised by our transport and, through `proxied`, by httpx's; mapped to `providers.errors` in
`client.py` and nowhere else. It imports nothing: httpx itself costs 4 MB and 60 ms, and only a
request through a proxy needs it.
"""


class TransportFault(Exception):
    """A request that got no answer, or not a whole one."""


class ConnectTimeout(TransportFault):
    """Name lookup, TCP and TLS took too long."""


class PoolTimeout(TransportFault):
    """No connection became free in time."""


class WriteTimeout(TransportFault):
    """The peer did not take the request in time."""


class ReadTimeout(TransportFault):
    """The peer did not answer, or stopped answering, for too long."""


class TotalTimeout(TransportFault):
    """The bound on the whole request has passed. httpx has none."""


class NetworkError(TransportFault):
    """The connection failed."""


class ConnectError(NetworkError):
    """There was none."""


class ReadError(NetworkError):
    """It broke."""


class StaleConnection(NetworkError):
    """One kept from an earlier request was closed without a word: perhaps before this one came."""


class RemoteProtocolError(TransportFault):
    """The peer ended the connection where HTTP does not."""


class LocalProtocolError(TransportFault):
    """The request could not be written as HTTP."""


class DecodingError(TransportFault):
    """What came is not HTTP."""


class ProxyError(TransportFault):
    """The proxy would not connect."""


class BadProxy(TransportFault):
    """The proxy that is configured cannot be used; the message says what to do."""


class InvalidURL(TransportFault):
    """Not an `http` or `https` URL with a host."""
