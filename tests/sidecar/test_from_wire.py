"""What a request of the wire becomes for the providers."""

import pytest

from protocol.ai import CompletionParams
from sidecar import from_wire


@pytest.mark.parametrize(("given", "meant"), [(None, None), ([], None), (["END"], ["END"])])
def test_no_stop_sequence_is_none_at_all(given: list[str] | None, meant: list[str] | None) -> None:
    request, _ = from_wire.request(CompletionParams(prompt="hi", stop=given))
    assert request.stop == meant
