"""A connected socket for a host and a port: name lookup, and the race of a host's addresses.

asyncio's own happy eyeballs (`create_connection(happy_eyeballs_delay=…)`) forgets a socket that
connects in the turn in which the caller is cancelled, and the other side then sees an open
connection for as long as it takes to be collected. Hence this file; it knows nothing above TCP.
"""

import asyncio
import contextlib
import ipaddress
import itertools
import socket
from functools import lru_cache

from providers.http.liveness import socket_options

HAPPY_EYEBALLS_DELAY = 0.25  # seconds; RFC 8305, section 8

Address = tuple[int, tuple[object, ...]]


async def dial(host: str, port: int) -> socket.socket:
    """Return a connected non-blocking socket.

    Raises `OSError` (`socket.gaierror` is one): the first address's, if all of them fail.
    Cancelled, it leaves no socket and no task.
    """
    addresses = await _resolve(host, port)
    if len(addresses) == 1:
        return await _connect(*addresses[0])
    return await _race(addresses)


@lru_cache(64)
def _literal(host: str, port: int) -> Address | None:
    """Return what stands for an address that is one already, None for a name."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    if version == 4:
        return socket.AF_INET, (host, port)
    if "%" in host:  # a scope's number is the resolver's to find
        return None
    return socket.AF_INET6, (host, port, 0, 0)


async def _resolve(host: str, port: int) -> list[Address]:
    literal = _literal(host, port)
    if literal is not None:
        return [literal]
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(
        host.encode("ascii"),  # a string would go through Python's IDNA, whose tables are 0.2 MB
        port,
        type=socket.SOCK_STREAM,
        proto=socket.IPPROTO_TCP,
    )
    found: list[Address] = [(family, address) for family, _, _, _, address in infos]
    # The families in turn, beginning with the one that the system prefers (RFC 8305, 4).
    first = [a for a in found if a[0] == found[0][0]]
    others = [a for a in found if a[0] != found[0][0]]
    ordered: list[Address] = []
    for pair in itertools.zip_longest(first, others):
        ordered += [address for address in pair if address is not None]
    if not ordered:
        raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
    return ordered


async def _connect(family: int, address: tuple[object, ...]) -> socket.socket:
    # With the protocol named, or asyncio does not switch Nagle's delay off.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)
        for option in socket_options():
            with contextlib.suppress(OSError):
                sock.setsockopt(*option)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _race(addresses: list[Address]) -> socket.socket:
    """Connect to each in turn, a quarter of a second or a failure apart; the first one wins."""
    waiting = list(reversed(addresses))
    running: set[asyncio.Task[socket.socket]] = set()
    errors: list[OSError] = []
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(_connect(*waiting.pop())))
            timeout = HAPPY_EYEBALLS_DELAY if waiting else None
            done, running = await asyncio.wait(
                running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            winner: socket.socket | None = None
            for task in done:
                error = task.exception()
                if isinstance(error, OSError):
                    errors.append(error)
                elif error is not None:
                    raise error
                elif winner is None:
                    winner = task.result()
                else:
                    task.result().close()
            if winner is not None:
                return winner
    finally:
        for task in running:
            task.add_done_callback(_close_loser)
            task.cancel()
    raise errors[0]


def _close_loser(task: "asyncio.Task[socket.socket]") -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
