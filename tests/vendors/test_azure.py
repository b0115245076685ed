"""Azure: the addresses, the two kinds of key, and answers that only Azure gives."""

import pytest

from providers.errors import ContentFiltered, NotConfigured
from providers.manager import ProviderManager
from providers.settings import ProvidersConfig, ProviderSettings
from providers.vendors.azure import Azure
from tests.http.server import chunked
from tests.vendors.talk import DONE, FINISH, WHOLE, as_json, ask, delta, event, said_no, talk

V = "?api-version=2024-08-01-preview"

ADDRESSES = [
    ("https://r.openai.azure.com", {}, "/openai/deployments/gpt-4o/chat/completions" + V),
    ("https://r.openai.azure.com/", {}, "/openai/deployments/gpt-4o/chat/completions" + V),
    ("https://r.openai.azure.com/openai", {}, "/openai/deployments/gpt-4o/chat/completions" + V),
    (
        "https://r.openai.azure.com/openai/deployments/mine",
        {},
        "/openai/deployments/mine/chat/completions" + V,
    ),
    ("https://gw.example.com/az", {}, "/az/deployments/gpt-4o/chat/completions" + V),
    (
        "https://r.openai.azure.com",
        {"deployment": "a b", "api_version": "2024-02-01"},
        "/openai/deployments/a%20b/chat/completions?api-version=2024-02-01",
    ),
    (
        "https://r.services.ai.azure.com",
        {},
        "/models/chat/completions?api-version=2024-05-01-preview",
    ),
    (
        "https://r.services.ai.azure.com/models",
        {},
        "/models/chat/completions?api-version=2024-05-01-preview",
    ),
    ("https://r.openai.azure.com/openai/v1", {}, "/openai/v1/chat/completions"),
    ("https://r.openai.azure.com", {"api": "responses"}, "/openai/v1/responses"),
    (
        "https://r.openai.azure.com/openai",
        {"api": "responses", "api_version": "preview"},
        "/openai/v1/responses?api-version=preview",
    ),
]


@pytest.mark.parametrize(("endpoint", "more", "path"), ADDRESSES)
def test_addresses(endpoint: str, more: dict[str, str], path: str) -> None:
    table = {"azure": ProviderSettings(endpoint=endpoint, api_key="k", **more)}
    manager = ProviderManager(ProvidersConfig(providers=table), environ={})
    azure = manager._registry.get("azure")
    assert isinstance(azure, Azure)
    request = ask(model="gpt-4o")
    found = azure.url(azure.dialect_for(request).path(request, stream=True))
    host = endpoint.split("/")[2]
    assert found == f"https://{host}{path}"


@pytest.mark.asyncio
async def test_a_key_and_a_token_travel_in_their_own_headers() -> None:
    async with talk("azure", deployment="d") as it:
        await it.stream()
        assert it.last.headers["api-key"] == "k-secret"
        assert "authorization" not in it.last.headers
    async with talk("azure", deployment="d", accessToken="t-secret") as it:
        await it.stream()
        assert it.last.headers["authorization"] == "Bearer t-secret"
        assert "api-key" not in it.last.headers


@pytest.mark.asyncio
async def test_the_deployment_is_the_address_and_the_model_is_what_is_in_it() -> None:
    async with talk("azure", deployment="d", model="o3-mini") as it:
        await it.stream(system="Be brief.", max_tokens=5, temperature=0.5)
        assert it.last.path == "/openai/deployments/d/chat/completions" + V
        body = it.body()
        assert (body["model"], body["max_completion_tokens"]) == ("o3-mini", 5)
        assert body["messages"][0]["role"] == "developer"
        assert "temperature" not in body


@pytest.mark.asyncio
async def test_responses_name_the_deployment_in_the_body() -> None:
    async with talk("azure", WHOLE, deployment="d", model="gpt-5", api="responses") as it:
        await it.complete(ask())
        assert it.last.path == "/openai/v1/responses"
        assert it.body()["model"] == "d"


@pytest.mark.asyncio
async def test_the_filters_first_chunk_is_no_answer_and_its_refusal_is_an_error() -> None:
    filtered = {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    stream = chunked(event(filtered), event(delta("Hi")), event(FINISH), DONE)
    async with talk("azure", stream, deployment="d") as it:
        outcome, _ = await it.stream()
        assert (outcome.response.text, outcome.response.id) == ("Hi", "c1")
    refused = said_no(400, "The response was filtered", code="content_filter")
    async with talk("azure", refused, deployment="d") as it:
        with pytest.raises(ContentFiltered, match="filtered"):
            await it.stream()


@pytest.mark.asyncio
async def test_what_is_missing_is_named() -> None:
    async with talk("azure") as it:
        with pytest.raises(NotConfigured, match=r"providers\.azure\.deployment"):
            await it.stream()
    manager = ProviderManager(
        ProvidersConfig(providers={"azure": ProviderSettings(api_key="k")}), environ={}
    )
    errors = {state.id: state.config_error for state in manager.providers()}
    assert "providers.azure.endpoint" in (errors["azure"] or "")
    await manager.aclose()


@pytest.mark.asyncio
async def test_models_are_those_of_the_resource() -> None:
    async with talk("azure", as_json({"data": [{"id": "gpt-4o"}]}), path="/openai") as it:
        (model,) = await it.manager.models("azure", refresh=True)
        assert it.last.path == "/openai/models?api-version=2024-10-21"
        assert (model.id, model.context_window) == ("gpt-4o", 128000)
