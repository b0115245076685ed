"""What `doctor` says to do about an error: the end of the sentence that the error begins.

Most errors say it themselves; here are those whose remedy depends on what is configured, which the
place that made them does not know.
"""

from collections.abc import Callable
from typing import NamedTuple

from providers.errors import ProviderError


class Case(NamedTuple):
    """A failure, and what was configured. `proxy_source`: where the proxy is named, if any is."""

    provider: str
    error: ProviderError
    key_source: str | None
    base_url: str
    proxy_source: str | None


def sentence(case: Case) -> str:
    """Return what is wrong, and what to do about it."""
    message = case.error.message.removeprefix(f"{case.provider}: ").rstrip(". ")
    said = f"{case.error.kind}: {message}"
    if any(word in message for word in _SAYS_ITSELF):
        return said
    remedy = next((remedy(case) for applies, remedy in _REMEDIES if applies(case.error)), "")
    return f"{said}: {remedy}" if remedy else said


_SAYS_ITSELF = ("set `", "set http.", "Run: ", "use an https://", "http.proxy, ", "pip install")


def _says(*words: str) -> Callable[[ProviderError], bool]:
    return lambda error: any(word in error.message for word in words)


def _is(*kinds: str) -> Callable[[ProviderError], bool]:
    return lambda error: error.kind in kinds


def _key(case: Case) -> str:
    return f"check the key ({case.key_source or 'none is set'})"


def _address(case: Case) -> str:
    return f"check `baseUrl` ({case.base_url})"


def _proxy(case: Case) -> str:
    return f"check the proxy ({case.proxy_source})"


_REMEDIES: tuple[tuple[Callable[[ProviderError], bool], Callable[[Case], str]], ...] = (
    (_says("through the proxy", "the proxy "), _proxy),
    (_says("cannot be resolved"), lambda c: f"{_address(c)}, or this machine's network"),
    (_says("Connection refused"), lambda c: f"is it running? {_address(c)}"),
    (_says("for another host"), _address),
    (_says("clock is wrong"), lambda _: "tell whoever runs it, or set the clock"),
    (_is("authentication"), _key),
    (_is("permission"), lambda c: f"{_key(c)}: it is known, and may not do this"),
    (_is("quota"), lambda _: "look at the account's credit and limits"),
    (_is("timeout"), lambda c: f"{_address(c)}, or this machine's network"),
    (_is("network"), lambda c: f"{_address(c)}, or this machine's network"),
    (_is("malformedStream", "modelNotFound"), _address),
    (lambda error: error.status in (404, 405), _address),
)
