"""The services' SDKs and libraries of many providers, merely iterating over a stream.

They read every event and write nothing of it, in answer to the frames that the sidecar gets too.

python -m benchmarks.peers.sdk_iterate NAME PORT
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

encode = msgspec.json.Encoder().encode
tasks: set[asyncio.Task[None]] = set()

Iterate = Callable[[str, str], Awaitable[None]]
"""`(model, prompt)`: ask, and read to the end."""


def _messages(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


def openai(origin: str) -> Iterate:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key="x", base_url=f"{origin}/v1")

    async def iterate(model: str, prompt: str) -> None:
        said: Any = _messages(prompt)
        async for _ in await client.chat.completions.create(
            model=model, messages=said, stream=True
        ):
            pass

    return iterate


def anthropic(origin: str) -> Iterate:
    from anthropic import AsyncAnthropic

    client = AsyncAnthropic(api_key="x", base_url=origin)

    async def iterate(model: str, prompt: str) -> None:
        said: Any = _messages(prompt)
        async for _ in await client.messages.create(
            model=model, messages=said, max_tokens=4096, stream=True
        ):
            pass

    return iterate


def google_genai(origin: str) -> Iterate:
    from google import genai

    client = genai.Client(api_key="x", http_options={"base_url": origin})

    async def iterate(model: str, prompt: str) -> None:
        async for _ in await client.aio.models.generate_content_stream(
            model=model, contents=prompt
        ):
            pass

    return iterate


def boto3(origin: str) -> Iterate:
    import boto3 as aws

    client = aws.client(
        "bedrock-runtime",
        endpoint_url=origin,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )

    def read(model: str, prompt: str) -> None:
        said = [{"role": "user", "content": [{"text": prompt}]}]
        for _ in client.converse_stream(modelId=model, messages=said)["stream"]:
            pass

    async def iterate(model: str, prompt: str) -> None:
        await asyncio.to_thread(read, model, prompt)

    return iterate


def litellm(origin: str) -> Iterate:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its import fetches one
    from litellm import acompletion

    async def iterate(model: str, prompt: str) -> None:
        async for _ in await acompletion(
            model=f"openai/{model}",
            messages=_messages(prompt),
            api_base=f"{origin}/v1",
            api_key="x",
            stream=True,
        ):
            pass

    return iterate


def any_llm(origin: str) -> Iterate:
    from any_llm import acompletion

    async def iterate(model: str, prompt: str) -> None:
        said: Any = _messages(prompt)
        stream: Any = await acompletion(
            model=model,
            provider="openai",
            messages=said,
            api_base=f"{origin}/v1",
            api_key="x",
            stream=True,
        )
        async for _ in stream:
            pass

    return iterate


PEERS = {peer.__name__: peer for peer in (openai, anthropic, google_genai, boto3, litellm, any_llm)}


def answer(request_id: object) -> None:
    body = encode({"jsonrpc": "2.0", "id": request_id, "result": {}})
    os.write(1, b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


async def main(name: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin.buffer)
    iterate = PEERS[name](f"http://127.0.0.1:{port}")

    async def stream(request_id: object, params: dict[str, str]) -> None:
        await iterate(params["model"], params["prompt"])
        answer(request_id)

    while header := await stdin.readline():
        await stdin.readline()
        request = msgspec.json.decode(await stdin.readexactly(int(header[16:])))
        if request["method"] == "ai/stream":
            tasks.add(task := loop.create_task(stream(request["id"], request["params"])))
            task.add_done_callback(tasks.discard)
        elif "id" in request:
            answer(request["id"])
        if request["method"] == "exit":
            return


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
