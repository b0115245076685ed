"""What a provider cannot carry, as a client sees it."""

from pathlib import Path

import pytest

from tests.contract.process import Sidecar

NOBODY = "http://127.0.0.1:9"  # nothing listens there: a request that went out would say `network`
OPTIONS = {
    "default": "anthropic",
    "providers": {
        "anthropic": {"apiKey": "k", "baseUrl": NOBODY},
        "ollama": {"baseUrl": NOBODY, "model": "m"},
        "mock": {},
    },
    "fallback": {"chain": ["anthropic", "mock"]},
}


@pytest.mark.asyncio
async def test_a_refusal_is_a_failed_request_that_names_the_field(tmp_path: Path) -> None:
    tool = {"name": "f", "parameters": {"type": "object"}}
    picture = {"type": "image", "url": "https://example.org/i.png"}
    asked = [
        ("seed", {"prompt": "hi", "seed": 1}),
        ("messages", {"provider": "ollama", "messages": [{"role": "user", "content": [picture]}]}),
        (
            "toolChoice",
            {"provider": "ollama", "prompt": "hi", "tools": [tool], "toolChoice": "required"},
        ),
    ]
    async with Sidecar(tmp_path, options=OPTIONS) as it:
        for field, params in asked:
            for method in ("ai/complete", "ai/stream"):
                error = await it.fail(method, params)
                assert (error["code"], error["data"]["kind"]) == (-32803, "invalidRequest")
                assert error["data"]["retryable"] is False
                assert error["message"].strip("`").startswith(field), error["message"]
                assert len(error["data"]["attempts"]) == 1  # nobody else was asked
