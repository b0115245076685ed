"""What Lapce 0.4.6 does as a client of a language server, and what it cannot stand.

Its proxy's ways, not LSP's: a completion is asked for at every keystroke and never cancelled; of
the server's requests two are answered and all others refused; nothing is closed, nothing shut down,
and the end is SIGKILL. Where Lapce would panic or drop an answer, this fails the test.
"""

import asyncio
import json
import os
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.contract.process import SECONDS
from tests.sidecar.clients import LAPCE


class Lapce:
    """One server, started as the plugin asked for it. Use as an asynchronous context manager."""

    def __init__(self, start: dict[str, Any], workspace: Path, env: dict[str, str]) -> None:
        self._start, self._workspace, self._env = start, workspace, env
        self._next_id = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._documents: dict[Path, tuple[str, int]] = {}
        self.asked_by_server: list[str] = []
        self.shown: list[str] = []
        self.capabilities: dict[str, Any] = {}

    async def __aenter__(self) -> "Lapce":
        uri = self._start["serverUri"]
        path = urlsplit(uri).path
        program = path if uri.startswith("urn:") else unquote(path)
        self.process = await asyncio.create_subprocess_exec(
            program,
            *self._start["serverArgs"],
            cwd=self._workspace,
            env=self._env,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
        )
        self._reading = asyncio.ensure_future(self._read())
        root = self._workspace.as_uri() + "/"
        result = await self.request(
            "initialize",
            {
                **LAPCE,
                "processId": os.getpid(),
                "rootUri": root,
                "workspaceFolders": [{"uri": root, "name": root}],
                "initializationOptions": self._start["options"],
            },
        )
        self.capabilities = result["capabilities"]
        self._notify("initialized", {})
        return self

    async def __aexit__(self, *_: object) -> None:
        self.process.kill()
        await self.process.wait()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    # --- the user --------------------------------------------------------------------------

    def open(self, path: Path, language: str) -> None:
        text = path.read_text("utf-8")
        self._documents[path] = (text, 0)
        document = {"uri": path.as_uri(), "languageId": language, "version": 0, "text": text}
        self._notify("textDocument/didOpen", {"textDocument": document})

    def type(self, path: Path, text: str) -> list[asyncio.Future[Any]]:
        """Type at the end of the document; the requests that this makes."""
        return [self._keystroke(path, key) for key in text]

    def _keystroke(self, path: Path, key: str) -> asyncio.Future[Any]:
        text, version = self._documents[path]
        start = position(text)
        self._documents[path] = (text + key, version + 1)
        self._notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": path.as_uri(), "version": version + 1},
                "contentChanges": [{"range": {"start": start, "end": start}, "text": key}],
            },
        )
        cursor = position(text + key)
        answer = self.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": path.as_uri()},
                "position": cursor,
                "context": {"triggerKind": 2},
            },
        )
        return asyncio.ensure_future(self._items(answer, cursor))

    async def _items(self, answer: asyncio.Future[Any], cursor: dict[str, int]) -> list[str]:
        """The texts, read as Lapce reads them: one bad item and it drops all."""
        result = await answer
        items = result if isinstance(result, list) else result["items"]
        for item in items:
            assert type(item["insertText"]) is str, "a snippet is not understood"
            if item.get("range") is not None:
                assert item["range"]["start"] == cursor, "what is before the cursor stays"
        return [item["insertText"] for item in items]

    def request(self, method: str, params: dict[str, Any]) -> asyncio.Future[Any]:
        self._next_id += 1
        self._answers[self._next_id] = asyncio.get_running_loop().create_future()
        self._send({"id": self._next_id, "method": method, "params": params})
        return self._waited(self._answers[self._next_id])

    def text(self, path: Path) -> str:
        return self._documents[path][0]

    # --- the wire --------------------------------------------------------------------------

    @staticmethod
    def _waited(future: asyncio.Future[Any]) -> asyncio.Future[Any]:
        return asyncio.ensure_future(asyncio.wait_for(future, SECONDS))

    def _notify(self, method: str, params: dict[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            while head := await self.process.stdout.readuntil(b"\r\n\r\n"):
                length = int(head.partition(b": ")[2].partition(b"\r\n")[0])
                self._take(json.loads(await self.process.stdout.readexactly(length)))
        except asyncio.IncompleteReadError:
            return
        except Exception as error:
            for future in self._answers.values():
                if not future.done():
                    future.set_exception(error)
            raise

    def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            future = self._answers.pop(message["id"])
            if "error" in message:
                future.set_exception(RuntimeError(message["error"]["message"]))
            else:
                future.set_result(message["result"])
            return
        assert isinstance(message.get("params"), dict), "params are unwrapped: Lapce's thread ends"
        if "id" in message:
            self.asked_by_server.append(message["method"])
            known = ("window/workDoneProgress/create", "client/registerCapability")
            if message["method"] in known:
                self._send({"id": message["id"], "result": None})
            else:
                refusal = {"code": 0, "message": "request not supported"}
                self._send({"id": message["id"], "error": refusal})
        elif message["method"] == "$/progress":
            kind = message["params"]["value"]["kind"]
            assert kind in ("begin", "report", "end"), "dropped: only work-done values are known"
        elif message["method"] == "window/showMessage":
            self.shown.append(message["params"]["message"])
        else:
            handled = ("window/logMessage", "experimental/serverStatus")
            assert message["method"] in handled, f"{message['method']} is log spam in Lapce"


def position(text: str) -> dict[str, int]:
    """The end of `text`; Lapce counts in UTF-16."""
    line, _, last = ("\n" + text).rpartition("\n")
    return {"line": line.count("\n"), "character": len(last.encode("utf-16-le")) // 2}
