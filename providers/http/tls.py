"""The one TLS context of the process, TLS over a socket, and what failures mean in a sentence.

The roots are the operating system's; `http.caBundle` adds to them. A context costs about 1 MB and
15 to 30 ms, so it is made at the first TLS connection and shared.
"""

import asyncio
import functools
import os
import socket
import ssl
import sys
from asyncio.sslproto import SSLProtocol
from typing import Any

# Where Linux distributions keep the bundle when this Python's OpenSSL was built for another path.
# (Debian, Gentoo, Arch; Fedora, RHEL; openSUSE; Alpine; FreeBSD)
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
)


_SUM_OF_FOLDER = "ca-certificates.crt"  # update-ca-certificates(8) writes both


_LARGEST_RECORD = 5 + 2**14 + 256  # RFC 8446, sections 5.1 and 5.2


class BadBundle(Exception):
    """`http.caBundle` cannot be read, or holds no certificate."""


@functools.cache
def shared_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Return the process's context for this extra CA file.

    Raises `BadBundle`.
    """
    if sys.platform in ("darwin", "win32"):
        import truststore

        # There, only the system itself can verify. On Linux truststore would read the whole bundle
        # again for each connection (20 ms), and OpenSSL does the same once.
        context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load_roots(context)
    if ca_bundle is not None:
        try:
            context.load_verify_locations(cafile=ca_bundle)
        except OSError as error:
            said = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise BadBundle(f"http.caBundle: cannot use {ca_bundle}: {said}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


class _OneRecord(SSLProtocol):
    """asyncio's own, with a buffer of one record. Its 256 kB would be taken by every connection."""

    max_size = _LARGEST_RECORD


async def start_tls(
    protocol: asyncio.Protocol, sock: socket.socket, context: ssl.SSLContext, server_name: str
) -> None:
    """Give `protocol` a TLS connection over `sock`, as `create_connection(ssl=context)` does.

    `server_name` is ASCII (`Address.host`). Raises `OSError` (`ssl.SSLError` is one).
    Cancelled, it leaves no connection.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[object] = loop.create_future()
    # Bytes are taken as they are; a string goes through Python's IDNA, whose tables are 0.2 MB.
    # truststore's context is not Python's own, and wants a string.
    name: Any = server_name.encode("ascii") if type(context) is ssl.SSLContext else server_name
    tls = _OneRecord(loop, protocol, context, done, server_side=False, server_hostname=name)
    transport, _ = await loop.create_connection(lambda: tls, sock=sock)
    try:
        await done
    except BaseException:
        transport.abort()
        raise


def _load_roots(context: ssl.SSLContext) -> None:
    paths = ssl.get_default_verify_paths()
    if _is_hashed(paths.capath) and _within(paths.cafile, paths.capath):
        # Looked up in the folder when needed: all roots at once take 1.4 MB and 20 to 50 ms.
        context.load_verify_locations(capath=paths.capath)
        return
    context.set_default_verify_paths()
    if os.path.exists(paths.cafile or "") or os.path.exists(paths.capath or ""):
        return
    for bundle in _BUNDLES:
        try:
            context.load_verify_locations(cafile=bundle)
        except OSError:
            continue
        return


def _within(bundle: str | None, folder: str | None) -> bool:
    """Return whether `bundle` is the sum of what is in `folder`: Debian's `ca-certificates.crt`,
    to which OpenSSL's own `cert.pem` is a link there."""
    if bundle is None or folder is None:
        return bundle is None
    return os.path.realpath(bundle) == os.path.join(os.path.realpath(folder), _SUM_OF_FOLDER)


def _is_hashed(folder: str | None) -> bool:
    """Return whether `folder` is one that OpenSSL finds certificates in by their subject's hash."""
    try:
        return folder is not None and any(name.endswith(".0") for name in os.listdir(folder))
    except OSError:
        return False


def explain(error: ssl.SSLError, host: str) -> str:
    """Return what is wrong with the TLS of `host`, and what the user can do, in one sentence."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_certificate(error, host)
    reason = error.reason or ""
    if reason == "WRONG_VERSION_NUMBER" or reason == "HTTP_REQUEST":
        return f"{host} does not speak TLS on this port (is its URL really https?)"
    if "ALERT" in reason and "CERTIFICATE" in reason:
        return f"{host} asks for a client certificate, which is not supported"
    return f"the TLS handshake with {host} failed ({reason or 'the peer closed the connection'})"


def _explain_certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    code, said = error.verify_code, error.verify_message
    if code == 10:
        return f"the certificate of {host} has expired (or this machine's clock is wrong)"
    if code == 9:
        return f"the certificate of {host} is not valid yet (or this machine's clock is wrong)"
    if code in (18, 19):
        return (
            f"the certificate of {host} is self-signed, or signed by a CA that this machine does "
            "not know: if that is meant, set http.caBundle to the CA's PEM file"
        )
    if code in (2, 20, 21):
        return (
            f"the certificate of {host} is signed by a CA that this machine does not know "
            "(a company's proxy?): set http.caBundle to that CA's PEM file"
        )
    if code in (62, 64):
        return f"the certificate presented for {host} is for another host ({said})"
    return f"the certificate of {host} is not accepted: {said}"
