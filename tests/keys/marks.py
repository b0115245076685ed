"""Marked secrets, and every form in which one could slip out."""

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote


def mark(owner: str, part: str) -> str:
    """Return a secret that looks like no service's, so that no pattern hides it by luck.

    It has the letters that base64 and addresses write in other ways.
    """
    seed = hashlib.sha256(f"{owner}/{part}".encode()).hexdigest()
    return f"Q{seed[:16]}/z+{seed[16:32]}="


def forms(secret: str) -> list[bytes]:
    """Return what to look for: as it is, encoded, in halves, from the back, in JSON and in hex."""
    half = len(secret) // 2
    plain = [secret, secret[:half], secret[half:], secret[::-1], quote(secret, safe="")]
    plain.append(secret.replace("/", "\\/"))
    found = {form.encode() for form in plain}
    found.add(secret.encode().hex().encode())
    for offset in range(3):  # what base64 makes of it depends on where in the text it stands
        encoded = base64.b64encode(b"\0" * offset + secret.encode())
        found.add(encoded[4:-4])
        found.add(base64.urlsafe_b64encode(b"\0" * offset + secret.encode())[4:-4])
    return sorted(found)


def found_in(data: bytes, secrets: Iterable[str]) -> list[str]:
    """Return the secrets of which any form is in `data`, with some of what stands around it."""
    hits: list[str] = []
    for secret in secrets:
        for form in forms(secret):
            at = data.find(form)
            if at >= 0:
                around = data[max(0, at - 80) : at + len(form) + 80]
                hits.append(f"{secret}: {around!r}")
                break
    return hits


def files_below(folder: Path) -> Iterable[tuple[Path, bytes]]:
    """Return every file below `folder` with its content."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path, path.read_bytes()
