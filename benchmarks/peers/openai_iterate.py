"""The openai SDK merely iterating: it reads every chunk of the stream and writes nothing of it.

python -m benchmarks.peers.openai_iterate PORT      frames on stdin; on stdout results only
"""

import asyncio
import os
import sys

import msgspec
from openai import AsyncOpenAI

encode = msgspec.json.Encoder().encode
tasks: set[asyncio.Task[None]] = set()


def answer(request_id: object) -> None:
    body = encode({"jsonrpc": "2.0", "id": request_id, "result": {}})
    os.write(1, b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


async def stream(client: AsyncOpenAI, request_id: object, params: dict[str, str]) -> None:
    chunks = await client.chat.completions.create(
        model=params["model"],
        messages=[{"role": "user", "content": params["prompt"]}],
        stream=True,
    )
    async for _ in chunks:
        pass
    answer(request_id)


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin.buffer)
    client = AsyncOpenAI(api_key="x", base_url=f"http://127.0.0.1:{port}/v1")
    while header := await stdin.readline():
        await stdin.readline()
        request = msgspec.json.decode(await stdin.readexactly(int(header[16:])))
        if request["method"] == "ai/stream":
            tasks.add(task := loop.create_task(stream(client, request["id"], request["params"])))
            task.add_done_callback(tasks.discard)
        elif "id" in request:
            answer(request["id"])
        if request["method"] == "exit":
            return


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
