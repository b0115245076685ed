"""The floor: the sidecar's task with nothing in between. FROZEN before the sidecar was tuned.

asyncio streams, `readline` and `readexactly` on the chunked body, a msgspec partial decode, one
msgspec-encoded `$/progress` frame and one write per event. No policy, no checks, no TLS: it relies
on a server that sends one SSE event per HTTP chunk. Do not make it faster or slower; what it does
not do, the sidecar is to do within the same time.

    python -m benchmarks.peers.floor PORT      speaks LSP frames on stdin and stdout
"""

import asyncio
import os
import sys

import msgspec


class Params(msgspec.Struct, frozen=True):
    prompt: str = ""
    model: str = ""
    partialResultToken: str | int = ""


class Request(msgspec.Struct):
    method: str = ""
    id: str | int | None = None
    params: Params = Params()


class Delta(msgspec.Struct, gc=False):
    content: str | None = None


class Choice(msgspec.Struct):
    delta: Delta


class Chunk(msgspec.Struct):
    choices: list[Choice] = []


class Text(msgspec.Struct, gc=False, tag="text", tag_field="kind"):
    text: str


class Progress(msgspec.Struct, gc=False):
    token: str | int
    value: Text


class Notification(msgspec.Struct, gc=False):
    params: Progress
    method: str = "$/progress"
    jsonrpc: str = "2.0"


encode = msgspec.json.Encoder().encode
decode_chunk = msgspec.json.Decoder(Chunk).decode
decode_request = msgspec.json.Decoder(Request).decode
idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
tasks: set[asyncio.Task[None]] = set()


def send(message: object) -> None:
    body = encode(message)
    os.write(1, b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


async def stream(port: int, request: Request) -> None:
    params = request.params
    reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
    message = {"role": "user", "content": params.prompt}
    body = encode({"model": params.model, "messages": [message], "stream": True})
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer x\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (port, len(body), body)
    )
    while await reader.readline() != b"\r\n":
        pass
    while size := int(await reader.readline(), 16):
        event = await reader.readexactly(size + 2)
        if event.startswith(b"data: {"):
            choices = decode_chunk(event[6:-4]).choices
            if choices and (text := choices[0].delta.content):
                send(Notification(Progress(params.partialResultToken, Text(text))))
    await reader.readline()
    idle.append((reader, writer))
    send({"jsonrpc": "2.0", "id": request.id, "result": {"text": ""}})


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin.buffer)
    while header := await stdin.readline():
        await stdin.readline()
        request = decode_request(await stdin.readexactly(int(header[16:])))
        if request.method == "ai/stream":
            tasks.add(task := loop.create_task(stream(port, request)))
            task.add_done_callback(tasks.discard)
        elif request.id is not None:
            send({"jsonrpc": "2.0", "id": request.id, "result": {}})
        if request.method == "exit":
            return


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
