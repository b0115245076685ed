"""A tiny forward proxy for tests: CONNECT tunnels, absolute-form requests, Basic auth."""

import asyncio
import base64
import contextlib


class ProxyServer:
    """`requests` are the first lines it got; `refuse` is a status to refuse CONNECT with."""

    def __init__(self, credentials: str | None = None, refuse: int | None = None) -> None:
        self._credentials = credentials
        self._refuse = refuse
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.requests: list[str] = []
        self.open_tunnels = 0

    async def start(self) -> "ProxyServer":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    @property
    def url(self) -> str:
        user = f"{self._credentials}@" if self._credentials else ""
        return f"http://{user}127.0.0.1:{self.port}"

    async def aclose(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.requests.append(first)
        fields = {
            n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines if line)
        }
        if self._credentials is not None:
            wanted = "Basic " + base64.b64encode(self._credentials.encode()).decode()
            if fields.get("proxy-authorization") != wanted:
                writer.write(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
                )
                return
        if self._refuse is not None:
            writer.write(b"HTTP/1.1 %d Refused\r\nContent-Length: 0\r\n\r\n" % self._refuse)
            return
        method, target, _ = first.split(" ")
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            onward, first_bytes = (host.strip("[]"), int(port)), b""
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            place, _, path = target.removeprefix("http://").partition("/")
            host, _, port = place.rpartition(":")
            onward = (host.strip("[]"), int(port))
            first_bytes = head.replace(target.encode(), b"/" + path.encode(), 1)
        await self._join(reader, writer, onward, first_bytes)

    async def _join(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        onward: tuple[str, int],
        first_bytes: bytes,
    ) -> None:
        there_reader, there_writer = await asyncio.open_connection(*onward)
        there_writer.write(first_bytes)
        self.open_tunnels += 1
        pumps = [
            asyncio.ensure_future(_pump(reader, there_writer)),
            asyncio.ensure_future(_pump(there_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            there_writer.transport.abort()
            self.open_tunnels -= 1


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
