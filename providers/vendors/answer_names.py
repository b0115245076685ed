"""Names of answers: what an answer is called whose format gives it none. Pure, chance aside."""

import os
from collections.abc import Mapping

from providers.types import StreamStart, StreamToken

_REQUEST_IDS = ("x-amzn-requestid", "x-request-id", "request-id")


def answer_id(headers: Mapping[str, str]) -> str:
    """Return a name for an answer whose format has none: the service's for the request, or ours."""
    said = next((headers[name] for name in _REQUEST_IDS if headers.get(name)), None)
    return said or f"answer-{os.urandom(8).hex()}"


def name_answer(first: StreamToken, headers: Mapping[str, str]) -> None:
    """Give an answer's first token an id if the service gave none."""
    if type(first) is StreamStart and not first.id:
        first.id = answer_id(headers)
