"""`openai-compatible`: addresses, keys, and the model that nobody named."""

from typing import Any

import pytest

from providers.errors import Authentication, NotConfigured, Overloaded
from providers.manager import ProviderManager
from providers.settings import ProvidersConfig, ProviderSettings
from providers.types import CompletionRequest
from tests.http.server import Recorded, Step
from tests.vendors.talk import ANSWER, WHOLE, as_json, said_no, talk

pytestmark = pytest.mark.asyncio

LISTED = as_json({"object": "list", "data": [{"id": "first", "max_model_len": 4096}, {"id": "b"}]})


async def test_without_a_model_the_first_of_the_list_is_taken_and_asked_for_once() -> None:
    async with talk("openai-compatible", LISTED, ANSWER, path="/v1", key=None) as it:
        outcome, _ = await it.stream()
        await it.stream()
        assert [r.path for r in it.server.requests] == [
            "/v1/models",
            "/v1/chat/completions",
            "/v1/chat/completions",
        ]
        assert it.body()["model"] == "first"
        assert "authorization" not in it.last.headers
        assert outcome.response.text == "Hello"


async def test_a_server_without_a_list_is_asked_without_a_model() -> None:
    async with talk("openai-compatible", said_no(404, "no such path"), ANSWER) as it:
        outcome, _ = await it.stream()
        assert "model" not in it.body()
        assert outcome.response.text == "Hello"


async def test_an_empty_list_and_a_wrong_key_are_said_as_they_are() -> None:
    async with talk("openai-compatible", as_json({"data": []}), name="mine") as it:
        with pytest.raises(NotConfigured, match=r"providers\.mine\.model"):
            await it.stream()
    async with talk("openai-compatible", said_no(401, "bad key")) as it:
        with pytest.raises(Authentication, match="bad key"):
            await it.stream()
        assert [r.path for r in it.server.requests] == ["/models"]


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([said_no(404, "no such path"), said_no(400, "messages: too short")], "healthy"),
        ([said_no(405, "not allowed"), said_no(422, "messages: too short")], "healthy"),
        ([said_no(404, "no such path"), WHOLE], "healthy"),
        ([said_no(404, "no such path"), said_no(404, "no such path")], "unhealthy"),
        ([said_no(404, "no such path"), said_no(401, "bad key")], "unhealthy"),
        ([said_no(404, "no such path"), said_no(301, "elsewhere")], "unhealthy"),
        ([said_no(500, "boom")], "unhealthy"),
    ],
)
async def test_a_service_without_a_list_is_no_sick_one(answers: list[Any], status: str) -> None:
    async with talk("openai-compatible", *answers, model="m") as it:
        (health,) = await it.manager.health("openai-compatible", live=True)
        assert health.status == status
        assert len(it.server.requests) == len(answers)
        if len(answers) > 1:
            assert it.body()["max_tokens"] == 1 and not it.body()["messages"]


async def test_a_model_that_no_catalog_knows_can_what_its_provider_can() -> None:
    async with talk("openai-compatible", LISTED, model="mine") as it:
        (state,) = [s for s in it.manager.providers() if s.id == "openai-compatible"]
        (chosen,) = await it.manager.models("openai-compatible")
        listed = await it.manager.models("openai-compatible", refresh=True)
        assert [m.source for m in listed] == ["live", "live"]
        for model in [chosen, *listed]:
            can = (model.features.tools, model.features.vision)
            assert can == (state.capabilities.functions, state.capabilities.vision) == (True, True)


async def test_of_all_providers_one_that_is_down_is_listed_as_it_was_known() -> None:
    async with talk("openai-compatible", said_no(503, "down"), model="mine") as it:
        found = await it.manager.models(refresh=True)
        assert [m.id for m in found if m.provider == "openai-compatible"] == ["mine"]
        with pytest.raises(Overloaded):
            await it.manager.models("openai-compatible", refresh=True)


async def test_a_named_or_configured_model_asks_for_no_list() -> None:
    async with talk("openai-compatible", model="mine") as it:
        await it.stream()
        assert it.body()["model"] == "mine"
        await it.stream(model="other")
        assert it.body()["model"] == "other"
        assert len(it.server.requests) == 2


async def test_the_three_formats() -> None:
    def answer(request: Recorded) -> list[Step]:
        return WHOLE

    async with talk("openai-compatible", handler=answer, path="/v1", model="m") as it:
        await it.complete(CompletionRequest(prompt="a", suffix="b"))
        assert it.last.path == "/v1/completions"
        assert (it.body()["prompt"], it.body()["suffix"]) == ("a", "b")
    async with talk("openai-compatible", WHOLE, path="/v1", model="m", api="responses") as it:
        await it.complete(CompletionRequest(prompt="a"))
        assert it.last.path == "/v1/responses"
    async with talk("openai-compatible", WHOLE, model="m", api="completions") as it:
        await it.complete(CompletionRequest(prompt="a"))
        assert it.last.path == "/completions"


async def test_without_an_address_it_says_what_is_missing() -> None:
    table = {"mine": ProviderSettings(kind="openai-compatible")}
    manager = ProviderManager(ProvidersConfig(providers=table), environ={})
    assert "providers.mine.baseUrl" in (manager.providers()[0].config_error or "")
    await manager.aclose()
