"""A certificate authority as companies still have them: without what RFC 5280 asks for.

OpenSSL takes such a one unless it is told to be strict, which `ssl.create_default_context` does
from Python 3.13 on.
"""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def old_authority(folder: Path, *names: str) -> tuple[str, ssl.SSLContext]:
    """Return the authority's PEM file, and a server's context with a certificate for `names`."""
    root, key = _name("An old authority"), ec.generate_private_key(ec.SECP256R1())
    # Not critical, no key identifiers and no key usage: each is against RFC 5280, 4.2.1.
    ours = _certificate(root, root, key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=False
    )
    server_key = ec.generate_private_key(ec.SECP256R1())
    theirs = _certificate(_name("A server"), root, server_key.public_key()).add_extension(
        x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
    )
    bundle, server = folder / "old-ca.pem", folder / "old-server.pem"
    pem = serialization.Encoding.PEM
    bundle.write_bytes(ours.sign(key, hashes.SHA256()).public_bytes(pem))
    private = server_key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server.write_bytes(private + theirs.sign(key, hashes.SHA256()).public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    return str(bundle), context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
    )
