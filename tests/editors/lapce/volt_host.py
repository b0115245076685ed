"""Plays lapce-proxy's side of the conversation with a plugin, in the engine that Lapce 0.4 pins.

Run by the Python that has `wasmtime`, which is not the one of the tests: what to play is read from
stdin as JSON, what was said is written to stdout. It imports nothing of the project's.

As lapce-proxy does: the module is instantiated without `_start`, the plugin's folder is `/`,
messages are lines, `handle_rpc` is called for each, and all that is on stdout when
`host_handle_rpc` is called is one message. Programs are run, or answered from `programs`; `start`
is what becomes of the request to start a server: "started", "error", or "silence" (what an absent
program gets).
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from wasmtime import Engine, FuncType, Linker, Module, Store, WasiConfig  # type: ignore


class Proxy:
    def __init__(self, play: dict[str, Any], folder: Path) -> None:
        self.play = play
        self.said: list[dict[str, Any]] = []
        self._in = (folder / "stdin").open("ab", buffering=0)
        (folder / "stdout").touch()
        self._out = (folder / "stdout").open("rb", buffering=0)

        engine = Engine()
        wasi = WasiConfig()
        wasi.env = list(play["env"].items())
        wasi.stdin_file = str(folder / "stdin")
        wasi.stdout_file = str(folder / "stdout")
        wasi.inherit_stderr()
        wasi.preopen_dir(play["volt"], "/")
        self._store = Store(engine)
        self._store.set_wasi(wasi)
        linker = Linker(engine)
        linker.define_wasi()
        linker.define_func("lapce", "host_handle_rpc", FuncType([], []), self._host_handle_rpc)
        module = Module.from_file(engine, play["module"])
        self._handle_rpc = linker.instantiate(self._store, module).exports(self._store)[
            "handle_rpc"
        ]

    def send(self, message: Any) -> None:
        line = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
        self.said.append({"to": message})
        self._in.write(line.encode() + b"\n")
        self._handle_rpc(self._store)

    def _host_handle_rpc(self) -> None:
        message = json.loads(self._out.read())  # more or less than one message is an error
        self.said.append({"from": message})
        if "id" not in message or "method" not in message:
            return
        reply = self._reply(message["method"], message["params"])
        if reply is not None:
            time.sleep(self.play["delay"])
            whole = {"jsonrpc": "2.0", "id": message["id"], **reply}
            self._in.write(json.dumps(whole, ensure_ascii=False).encode() + b"\n")

    def _reply(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        if method == "host/startLspServer":
            start = {"started": {"result": {"id": 3}}, "error": _error("it broke"), "silence": None}
            return start[self.play["start"]]
        if method == "host/executeProcess" and self.play["programs"] is None:
            return self._run([params["program"], *params["args"]])
        if method == "host/executeProcess" and params["program"] in self.play["programs"]:
            return self.play["programs"][params["program"]]
        return _error("request not supported")

    def _run(self, command: list[str]) -> dict[str, Any]:
        try:
            done = subprocess.run(command, capture_output=True, check=False, env=self.play["env"])
        except OSError as error:
            return _error(f"{error.strerror} (os error {error.errno})")
        return {
            "result": {
                "success": done.returncode == 0,
                "stdout": list(done.stdout),
                "stderr": list(done.stderr),
            }
        }


def _error(message: str) -> dict[str, Any]:
    return {"error": {"code": 0, "message": message}}


def main() -> None:
    play = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        proxy = Proxy(play, Path(folder))
        for message in play["messages"]:
            proxy.send(message)
    json.dump(proxy.said, sys.stdout)


if __name__ == "__main__":
    main()
