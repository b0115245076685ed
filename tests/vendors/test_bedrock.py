"""Bedrock over a real socket: addresses, signatures that botocore accepts, keys, models, counts."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import botocore.session
import pytest
import pytest_asyncio
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer

from providers.base import AiProvider
from providers.errors import InvalidRequest, NotConfigured, Permission, RateLimited
from providers.manager import ProviderManager
from providers.policy.router import Target
from providers.settings import ProvidersConfig
from providers.types import ChatRequest, Finish, Message, StreamStart, Text, TextDelta, UsageReport
from providers.vendors.bedrock import Bedrock
from tests.auth.cloud_services import Home
from tests.http.server import Gate, RawServer, Recorded, Step, chunked
from tests.vendors.cloud import (
    ACCESS,
    KEYS,
    SECRET,
    asked_urls,
    chat,
    context,
    converse_events,
    event,
    event_stream,
    json_answer,
    signed_for,
    table,
)

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abcd1234"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RawServer]:
    running = await RawServer.start()
    running.script(event_stream(converse_events("Hel", "lo")))
    yield running
    await running.aclose()


async def text_of(provider: AiProvider, request: object) -> str:
    said = ""
    async for tokens in provider.chat_stream(request):  # type: ignore[arg-type]
        said += "".join(t.text for t in tokens if isinstance(t, TextDelta))
    return said


async def closed(provider: Bedrock) -> None:
    await provider.aclose()
    await provider.context.aclose()


def at(server: RawServer) -> str:
    return f"{server.host}:{server.port}"


def test_the_encoder_is_amazons() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(
        converse_events("é👍") + event("throttlingException", b"{}", message_type="exception")
    )
    events = [message.to_response_dict() for message in buffer]
    assert json.loads(events[1]["body"])["delta"]["text"] == "é👍"
    assert events[-1]["headers"][":exception-type"] == "throttlingException"


@pytest.mark.asyncio
async def test_amazons_own_client_takes_the_same_answer_and_asks_the_same(
    server: RawServer,
) -> None:
    """What stands in for Bedrock here is something that botocore accepts."""

    def ask() -> str:
        client = botocore.session.Session().create_client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=server.origin,
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
            config=Config(retries={"max_attempts": 0}),
        )
        answer = client.converse_stream(
            modelId=ARN, messages=[{"role": "user", "content": [{"text": "Hello"}]}]
        )
        parts = [
            e["contentBlockDelta"]["delta"]["text"]
            for e in answer["stream"]
            if "contentBlockDelta" in e
        ]
        client.close()
        return "".join(parts)

    assert await asyncio.to_thread(ask) == "Hello"
    provider = Bedrock("bedrock", table(baseUrl=server.origin, region="us-east-1"), context())
    assert await text_of(provider, chat(ARN)) == "Hello"
    theirs, ours = server.requests
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert json.loads(ours.body) == json.loads(theirs.body)
    assert signed_for(theirs, at(server)) == ("us-east-1", "bedrock")
    await closed(provider)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("model", "api"),
    [
        (SONNET, "converse"),
        (SONNET, "invoke"),
        (f"eu.{SONNET}", "converse"),
        (f"eu.{SONNET}", "invoke"),
        (ARN, "converse"),
        (f"arn:aws:bedrock:eu-west-1:1:inference-profile/eu.{SONNET}", "converse"),
        (f"arn:aws:bedrock:eu-west-1:1:inference-profile/eu.{SONNET}", "invoke"),
    ],
)
async def test_signed(server: RawServer, model: str, api: str) -> None:
    if api == "invoke":
        body = b'{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0="}'
        server.script(event_stream(event("chunk", body)))
    environ = {**KEYS, "AWS_SESSION_TOKEN": "the-session-token"}
    provider = Bedrock(
        "bedrock", table(baseUrl=server.origin, region="eu-west-1", api=api), context(environ)
    )
    await text_of(provider, chat(model))
    sent = server.requests[0]
    assert signed_for(sent, at(server)) == ("eu-west-1", "bedrock")
    assert sent.headers["x-amz-security-token"] == "the-session-token"
    assert "x-amz-security-token" in sent.headers["authorization"]
    method = "converse-stream" if api == "converse" else "invoke-with-response-stream"
    assert sent.path == f"/model/{model.replace(':', '%3A').replace('/', '%2F')}/{method}"
    await closed(provider)


@pytest.mark.asyncio
async def test_addresses(server: RawServer) -> None:
    made = context(origin=server.origin)
    provider = Bedrock("bedrock", table(region="us-east-1"), made)
    foundation = f"arn:aws:bedrock:us-west-2::foundation-model/{SONNET}"
    for model in (SONNET, ARN, foundation):
        await text_of(provider, chat(model))
    hosts = [url.split("/")[2] for url in asked_urls(made)]
    assert hosts == [
        "bedrock-runtime.us-east-1.amazonaws.com",
        "bedrock-runtime.eu-west-1.amazonaws.com",
        "bedrock-runtime.us-west-2.amazonaws.com",
    ]
    regions = [r.headers["authorization"].split("/")[2] for r in server.requests]
    assert regions == ["us-east-1", "eu-west-1", "us-west-2"]
    china = Bedrock("bedrock", table(region="cn-north-1"), context())
    assert china.base_url == "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"
    await closed(provider)


@pytest.mark.asyncio
async def test_a_private_endpoint_is_signed_for_its_own_region() -> None:
    base = "https://vpce-1.bedrock-runtime.ap-south-1.vpce.amazonaws.com"
    provider = Bedrock("bedrock", table(baseUrl=base), context())
    headers = await provider.headers("POST", f"{base}/model/m/converse", b"{}", "*/*", {})
    assert "/ap-south-1/bedrock/" in headers["authorization"]


@pytest.mark.asyncio
async def test_a_key_is_sent_as_bearer_and_nothing_is_signed(server: RawServer) -> None:
    for settings, environ in (
        ({"apiKey": "bedrock-api-key-abc"}, KEYS),
        ({}, {**KEYS, "AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-abc"}),
    ):
        made = context(environ)
        provider = Bedrock(
            "bedrock", table(baseUrl=server.origin, region="us-east-1", **settings), made
        )
        await text_of(provider, chat(SONNET))
        headers = server.requests[-1].headers
        assert headers["authorization"] == "Bearer bedrock-api-key-abc"
        assert not any(name.startswith("x-amz-") for name in headers)
        await closed(provider)


@pytest.mark.asyncio
async def test_a_named_profile_is_stronger_than_a_key_of_the_environment(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.aws_credentials(
        "[work]\naws_access_key_id = AKIAWORKWORKWORK0000\naws_secret_access_key = work-secret-0001"
    )
    environ = {**home.environ, "AWS_BEARER_TOKEN_BEDROCK": "a-key-of-the-environment"}
    provider = Bedrock("bedrock", table(profile="work", region="us-east-1"), context(environ))
    assert provider.key_source() == "AWS profile work"
    headers = await provider.headers("GET", provider.url("/x"), b"", "*/*", {})
    assert "AKIAWORKWORKWORK0000" in headers["authorization"]


@pytest.mark.asyncio
async def test_the_profiles_region(server: RawServer, tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.aws_config("[default]\nregion = eu-north-1\n")
    made = context({**home.environ, **KEYS}, origin=server.origin)
    provider = Bedrock("bedrock", table(), made)
    assert provider.base_url == ""
    assert await text_of(provider, chat(SONNET)) == "Hello"
    assert asked_urls(made)[0].startswith("https://bedrock-runtime.eu-north-1.amazonaws.com/")
    await closed(provider)


@pytest.mark.asyncio
async def test_without_a_region_nothing_is_sent() -> None:
    provider = Bedrock("bedrock", table(), context())
    with pytest.raises(NotConfigured, match="AWS_REGION"):
        await text_of(provider, chat(SONNET))
    await closed(provider)


def test_a_region_becomes_part_of_a_host() -> None:
    with pytest.raises(NotConfigured, match="is no region"):
        Bedrock("bedrock", table(), context({**KEYS, "AWS_REGION": "evil.example/#"}))


@pytest.mark.asyncio
async def test_plain_http_to_another_machine_is_refused() -> None:
    provider = Bedrock("bedrock", table(baseUrl="http://gateway.example", region="x"), context())
    with pytest.raises(NotConfigured, match="unencrypted"):
        await text_of(provider, chat(SONNET))


@pytest.mark.asyncio
async def test_guardrails(server: RawServer) -> None:
    guard = {"guardrailIdentifier": "gr-1", "guardrailVersion": "2", "trace": "enabled"}
    request = chat(SONNET, provider_options={"guardrailConfig": guard})
    provider = Bedrock("bedrock", table(baseUrl=server.origin, region="us-east-1"), context())
    await text_of(provider, request)
    assert json.loads(server.requests[0].body)["guardrailConfig"] == guard
    await closed(provider)
    server.script(event_stream(event("chunk", b'{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0="}')))
    provider = Bedrock(
        "bedrock", table(baseUrl=server.origin, region="us-east-1", api="invoke"), context()
    )
    await text_of(provider, request)
    sent = server.requests[1]
    assert "guardrailConfig" not in json.loads(sent.body)
    assert sent.headers["x-amzn-bedrock-guardrailidentifier"] == "gr-1"
    assert sent.headers["x-amzn-bedrock-guardrailversion"] == "2"
    assert sent.headers["x-amzn-bedrock-trace"] == "ENABLED"
    signed_for(sent, at(server))
    await closed(provider)


@pytest.mark.asyncio
async def test_an_exception_in_the_stream_keeps_its_kind(server: RawServer) -> None:
    body = event("messageStart", b'{"role":"assistant"}') + event(
        "throttlingException", b'{"message":"Too many requests"}', message_type="exception"
    )
    server.script(event_stream(body))
    provider = Bedrock("bedrock", table(baseUrl=server.origin, region="us-east-1"), context())
    with pytest.raises(RateLimited, match="Too many requests"):
        await text_of(provider, chat(SONNET))
    await closed(provider)


@pytest.mark.asyncio
async def test_amazons_most_frequent_refusal_says_what_to_do(server: RawServer) -> None:
    said = (
        "Invocation of model ID x with on-demand throughput isn’t supported. Retry with a profile"
    )
    server.script(json_answer({"message": said}, 400))
    provider = Bedrock("bedrock", table(baseUrl=server.origin, region="us-east-1"), context())
    with pytest.raises(InvalidRequest) as caught:
        await text_of(provider, chat(SONNET))
    assert said in caught.value.message and "global.anthropic" in caught.value.message
    await closed(provider)


@pytest.mark.asyncio
async def test_whole_answers_use_the_unary_request(server: RawServer) -> None:
    message = {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}
    usage = {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4}
    server.script(json_answer({"output": message, "stopReason": "end_turn", "usage": usage}))
    provider = Bedrock("bedrock", table(baseUrl=server.origin, region="us-east-1"), context())
    answer = await provider.chat(chat(SONNET))
    assert (answer.text, answer.finish_reason) == ("Hi", "stop")
    assert answer.usage is not None and answer.usage.total_tokens == 4
    assert server.requests[0].path.endswith("/converse")
    assert server.requests[0].headers["accept"] == "application/json"
    await closed(provider)


# --- Counting and listing ---------------------------------------------------------------------


@pytest.mark.asyncio
async def test_tokens_are_counted_by_the_service(server: RawServer) -> None:
    server.script(json_answer({"inputTokens": 42}))
    provider = Bedrock("bedrock", table(baseUrl=server.origin, region="us-east-1"), context())
    counted = await provider.count_tokens([Message("user", [Text("Hello")])], f"eu.{SONNET}")
    assert (counted.tokens, counted.method) == (42, "api")
    sent = server.requests[0]
    assert sent.path == f"/model/{SONNET.replace(':', '%3A')}/count-tokens"
    assert json.loads(sent.body) == {
        "input": {"converse": {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}}
    }
    signed_for(sent, at(server))
    await closed(provider)


@pytest.mark.asyncio
async def test_a_model_that_cannot_be_counted_for_is_estimated(server: RawServer) -> None:
    said = {"message": "The provided model doesn't support counting tokens."}
    server.script(json_answer(said, 400))
    provider = Bedrock("bedrock", table(baseUrl=server.origin, region="us-east-1"), context())
    counted = await provider.count_tokens(
        [Message("user", [Text("Hello")])], "amazon.nova-lite-v1:0"
    )
    assert counted.method == "estimate" and counted.tokens > 0
    assert (await provider.health_check()).status == "healthy"
    await closed(provider)


@pytest.mark.asyncio
async def test_models_are_the_control_planes(server: RawServer) -> None:
    models = [
        {"modelId": SONNET, "inferenceTypesSupported": ["INFERENCE_PROFILE"]},
        {"modelId": "amazon.nova-lite-v1:0", "inferenceTypesSupported": ["ON_DEMAND"]},
    ]
    profiles = [{"inferenceProfileId": f"us.{SONNET}"}]
    server.script(
        json_answer({"modelSummaries": models}),
        json_answer({"inferenceProfileSummaries": profiles}),
    )
    made = context(origin=server.origin)
    provider = Bedrock("bedrock", table(region="us-east-1"), made)
    found = await provider.list_models(refresh=True)
    assert [model.id for model in found] == ["amazon.nova-lite-v1:0", f"us.{SONNET}"]
    assert {model.source for model in found} == {"live"}
    assert found[1].context_window == 200_000
    host = "bedrock.us-east-1.amazonaws.com"
    assert asked_urls(made)[0] == f"https://{host}/foundation-models?byOutputModality=TEXT"
    assert "/us-east-1/bedrock/" in server.requests[0].headers["authorization"]
    await closed(provider)


@pytest.mark.asyncio
async def test_another_address_has_the_catalogs_models(server: RawServer) -> None:
    provider = Bedrock("bedrock", table(baseUrl=server.origin, region="us-east-1"), context())
    assert len(await provider.list_models(refresh=True)) > 10
    assert server.requests == []


# --- Credentials that end -----------------------------------------------------------------------


def renewing(home: Home) -> None:
    """Have a profile whose program gives other keys each time it is asked."""
    count = home.path / "count"
    program = home.script(
        "give",
        f"#!/bin/sh\necho x >> {count}\nn=$(wc -l < {count})\n"
        'printf \'{"Version":1,"AccessKeyId":"AKIAROUND%d","SecretAccessKey":\' "$n"\n'
        'printf \'"secret-of-round-%d"}\' "$n"\n',
    )
    home.aws_config(f"[default]\nregion = us-east-1\ncredential_process = {program}\n")


posix = pytest.mark.skipif(os.name != "posix", reason="the program is a shell script")
EXPIRED = json_answer({"message": "The security token included in the request is expired"}, 403)


@posix
@pytest.mark.asyncio
async def test_expired_credentials_are_renewed_once(server: RawServer, tmp_path: Path) -> None:
    home = Home(tmp_path)
    renewing(home)
    server.script(EXPIRED, event_stream(converse_events("Hello")))
    settings = {"providers": {"bedrock": table(baseUrl=server.origin)}}
    manager = ProviderManager(ProvidersConfig(**settings), environ=home.environ)
    run = manager.stream(chat(SONNET), Target(provider="bedrock", model=SONNET))
    async for _ in run:
        pass
    assert run.outcome.response.text == "Hello"
    keys = [r.headers["authorization"].split("=")[1].split("/")[0] for r in server.requests]
    assert keys == ["AKIAROUND1", "AKIAROUND2"]
    signed_for(server.requests[1], at(server), "secret-of-round-2")

    # New ones that are refused as well are not renewed for ever.
    server.script(EXPIRED)
    run = manager.stream(chat(SONNET), Target(provider="bedrock", model=SONNET))
    with pytest.raises(Permission, match="expired"):
        async for _ in run:
            pass
    assert len(server.requests) == 3
    await manager.aclose()


@posix
@pytest.mark.asyncio
async def test_requests_that_are_refused_together_share_a_renewal(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    renewing(home)
    gate = Gate()

    def answer(request: Recorded) -> Sequence[Step]:
        if "AKIAROUND1/" not in request.headers["authorization"]:
            return event_stream(converse_events("Hello"))
        if len(server.requests) == 2:  # this is the third
            gate.open()
        return [gate, *EXPIRED]  # none is refused before all have been sent

    server = await RawServer.start(handler=answer)
    settings = {"bedrock": table(baseUrl=server.origin)}
    manager = ProviderManager(ProvidersConfig(providers=settings), environ=home.environ)

    async def ask() -> str:
        run = manager.stream(chat(SONNET), Target(provider="bedrock", model=SONNET))
        async for _ in run:
            pass
        return run.outcome.response.text

    texts = await asyncio.gather(ask(), ask(), ask(), return_exceptions=True)
    await manager.aclose()
    await server.aclose()
    assert texts == ["Hello"] * 3
    assert (home.path / "count").read_text("utf-8") == "x\nx\n"


@posix
@pytest.mark.asyncio
async def test_a_refusal_that_comes_late_finds_the_new_ones(
    server: RawServer, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    renewing(home)
    server.script(EXPIRED)
    provider = Bedrock("bedrock", table(baseUrl=server.origin), context(home.environ))
    errors: list[Permission] = []
    for _ in range(2):
        with pytest.raises(Permission) as caught:
            await text_of(provider, chat(SONNET))
        errors.append(caught.value)
    assert [await provider.recover(error) for error in errors] == [True, True]
    assert (home.path / "count").read_text("utf-8") == "x\nx\n"
    await closed(provider)


@pytest.mark.asyncio
async def test_a_configured_authorization_is_left_alone(server: RawServer) -> None:
    settings = table(baseUrl=server.origin, region="us-east-1", headers={"Authorization": "Own x1"})
    provider = Bedrock("bedrock", settings, context({}))
    assert await text_of(provider, chat(SONNET)) == "Hello"
    assert server.requests[0].headers["authorization"] == "Own x1"
    assert "x-amz-date" not in server.requests[0].headers
    await closed(provider)


@pytest.mark.asyncio
async def test_a_permission_that_is_missing_is_no_matter_of_age(server: RawServer) -> None:
    said = "User: arn:aws:iam::1:user/u is not authorized to perform: bedrock:InvokeModel"
    server.script(json_answer({"message": said}, 403))
    provider = Bedrock("bedrock", table(baseUrl=server.origin, region="us-east-1"), context())
    with pytest.raises(Permission) as caught:
        await text_of(provider, chat(SONNET))
    assert not await provider.recover(caught.value)
    await closed(provider)


# --- Memory and recordings ------------------------------------------------------------------------


def test_no_sdk_is_imported_here(tmp_path: Path) -> None:
    """The point of it all: neither SDK's memory stays in this process, not after its chain ran."""
    program = """
import asyncio, os, sys
import providers.vendors.aws, providers.vendors.bedrock, providers.vendors.vertex
from providers.auth.cloud import AwsCredentials, GoogleCredentials
from providers.errors import NotConfigured
from providers.settings import HttpSettings

async def main():
    shared = {"environ": os.environ, "http": HttpSettings(), "provider": "p"}
    assert (await AwsCredentials(profile=None, **shared).get()).access_key == "AKIDEXAMPLE"
    try:
        await GoogleCredentials(**shared).get()
    except NotConfigured:
        pass

asyncio.run(main())
heavy = ("botocore", "google", "urllib3", "requests", "cryptography")
sys.exit(" ".join(name for name in sys.modules if name.split(".")[0] in heavy) or 0)
"""
    home = Home(tmp_path)
    home.aws_credentials(
        f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}"
    )
    root = str(Path(__file__).resolve().parents[2])
    environ = {**home.environ, "PYTHONPATH": root}
    subprocess.run([sys.executable, "-c", program], check=True, env=environ, cwd=tmp_path)


@pytest.mark.asyncio
async def test_recorded_streams_through_the_whole_provider(shared: Path, server: RawServer) -> None:
    from tests.corpus.formats import FORMATS
    from tests.corpus.replay import body_of, rows

    compared = 0
    providers = {
        api: Bedrock(
            "bedrock", table(baseUrl=server.origin, region="us-east-1", api=api), context()
        )
        for api in ("converse", "invoke")
    }
    for row in rows(shared):
        if row["wire_format"] not in ("bedrock-converse-eventstream", "bedrock-invoke-eventstream"):
            continue
        if row["expected"]["error"]:
            continue
        api = row["wire_format"].split("-")[1]
        url = (row["request"] or {}).get("url") or row["url_guess"]
        model = url.partition("/model/")[2].split("/")[0].replace("%3A", ":").replace("%2F", "/")
        body = body_of(row, shared)
        headers = {"content-type": "application/vnd.amazon.eventstream"}
        server.script(
            chunked(*(body[i : i + 700] for i in range(0, len(body), 700)), headers=headers)
        )
        tokens = [t async for batch in providers[api].chat_stream(chat(model)) for t in batch]
        said = "".join(t.text for t in tokens if isinstance(t, TextDelta))
        assert said == FORMATS[row["wire_format"]].text(row), row["id"]
        assert isinstance(tokens[-1], Finish)
        compared += any(isinstance(t, UsageReport) for t in tokens)
    assert compared >= 50
    for provider in providers.values():
        await closed(provider)


@pytest.mark.asyncio
async def test_invoke_asks_models_of_no_known_family_through_converse(server: RawServer) -> None:
    made = context(origin=server.origin)
    provider = Bedrock("b", table(region="us-east-1", api="invoke"), made)
    guardrail = {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}}
    request = chat("maker.new-model-v1:0", provider_options=guardrail)
    assert await text_of(provider, request) == "Hello"
    assert server.requests[-1].path == "/model/maker.new-model-v1%3A0/converse-stream"
    assert json.loads(server.requests[-1].body)["guardrailConfig"] == guardrail["guardrailConfig"]
    assert "x-amzn-bedrock-guardrailidentifier" not in server.requests[-1].headers
    await closed(provider)


@pytest.mark.asyncio
async def test_an_answer_is_called_what_the_request_is(server: RawServer) -> None:
    """Converse's answers have no id of their own."""
    made = context(origin=server.origin)
    provider = Bedrock("b", table(region="us-east-1"), made)
    headers = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": "r-1"}
    server.script(chunked(converse_events("Hi"), headers=headers), event_stream(converse_events()))
    ids = [
        token.id
        for _ in range(2)
        async for tokens in provider.chat_stream(chat(SONNET))
        for token in tokens
        if isinstance(token, StreamStart)
    ]
    assert ids[0] == "r-1"
    assert ids[1].startswith("answer-")
    whole = {"output": {"message": {"content": [{"text": "Hi"}]}}, "stopReason": "end_turn"}
    server.script(json_answer(whole, **{"x-amzn-requestid": "r-2"}))
    assert (await provider.chat(chat(SONNET))).id == "r-2"
    await closed(provider)


@pytest.mark.asyncio
async def test_cache_points_stand_where_they_stood_before(server: RawServer) -> None:
    """What was written to the cache is read again only at a point; the port keeps them, too."""
    provider = Bedrock("b", table(region="us-east-1"), context(origin=server.origin))
    long = "word " * 1000

    async def points(*texts: str) -> list[int]:
        roles = ("user", "assistant")
        messages = [Message(roles[at % 2], [Text(text)]) for at, text in enumerate(texts)]  # type: ignore[arg-type]
        await text_of(provider, ChatRequest(messages=messages, model=SONNET))
        sent = json.loads(server.requests[-1].body)["messages"]
        return [at for at, message in enumerate(sent) if "cachePoint" in message["content"][-1]]

    assert await points(long) == []
    assert await points(long, "a", "b") == [2]
    assert await points(long, "a", "b", "c", "d") == [2, 4]
    assert await points(long, "a", "b", "c", "d") == [2, 4]  # another attempt
    assert await points(long + "other", "a", "b", "c", "d") == [4]
    assert await points(long, "a", "b") == [2]  # gone back
    await closed(provider)
