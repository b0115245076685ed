"""Masks secrets in any text that leaves the process: errors, logs, what a service repeats to us.

What has been learned is shared by the whole process, so that no place can forget to pass it on.
Knows no provider; nothing here can be asked for a secret, and no repr shows one.
"""

import re
from base64 import b64encode
from urllib.parse import quote

MASK = "[hidden]"

_SHORTEST = 6
"""Below this length masking would hit ordinary text ("none", "test") more often than a key."""

_LETTERS_ONLY = 12
"""People give "ollama", "lm-studio" or "not-needed" as the key of a server that wants none. A word
of small letters is taken for a secret only from this length on."""

_PATTERN = re.compile(
    r"(?P<keep>\b(?i:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?P<param>[?&](?i:key|api[_-]?key|access_token|token|sig|signature"
    r"|X-Amz-Signature|X-Amz-Security-Token|X-Amz-Credential)=)[^&\s\"'<>#]+"
    r"|(?P<user>\b[a-z][a-z0-9+.-]{1,15}://)[^\s/@\"'<>]+(?=@)"
    r"|\b(?:sk|rk|pk|xai|pplx|csk|fw)-(?=[A-Za-z_-]{0,99}[0-9])[A-Za-z0-9_-]{12,}"
    r"|\b(?:gsk|hf|ghp|gho|ghu|ghs|github_pat|nvapi|r8|fw|tgp)[_-](?=[A-Za-z_-]{0,99}[0-9])"
    r"[A-Za-z0-9_-]{16,}"
    r"|\bAIza[A-Za-z0-9_-]{20,}"
    r"|\bya29\.[A-Za-z0-9._-]{10,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\beyJ[A-Za-z0-9_-]{10,999}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
)
"""Authorization values, query parameters, passwords in addresses, and the prefixes by which the
services mark their keys (each of them asks for a digit somewhere, so that words stay words). What
is looked ahead at is bounded: else `sk-sk-sk-…` would be read again for each of its parts."""

_learned: set[str] = set()


class Redactor:
    """Every instance masks everything that any instance has learned."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Redactor(…)"

    def learn(self, secret: str) -> None:
        """Mask `secret` from now on, also as it stands in an address, in JSON and in base64."""
        secret = secret.strip()
        if secret in _learned or not _is_secret(secret):
            return
        _learned.add(secret)
        scheme, space, rest = secret.partition(" ")
        if space and scheme.lower() in ("bearer", "basic", "token"):
            self.learn(rest)  # the value of an Authorization header
        _learned.add(quote(secret, safe=""))
        _learned.add(secret.replace("\\", "\\\\").replace('"', '\\"'))
        _learned.add(b64encode(secret.encode(errors="replace")).decode())

    def mask(self, text: str) -> str:
        """Return `text` with every learned secret, and all that looks like one, hidden."""
        for secret in sorted(_learned, key=len, reverse=True):
            if secret in text:
                text = text.replace(secret, MASK)
        return _PATTERN.sub(_hide, text)


def _is_secret(value: str) -> bool:
    if len(value) < _SHORTEST:
        return False
    plain_word = value.replace("-", "").replace("_", "").isalpha() and value.islower()
    return not plain_word or len(value) >= _LETTERS_ONLY


def _hide(match: re.Match[str]) -> str:
    kept = match.group("keep") or match.group("param") or match.group("user") or ""
    return kept + MASK
