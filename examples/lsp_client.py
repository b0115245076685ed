"""The smallest client: starts the sidecar, streams one answer to the terminal, and leaves.

    python examples/lsp_client.py "Write a haiku about editors"

Needs nothing but Python and `ai-sidecar` on PATH. The configuration is the user's own.
"""
# ruff: noqa: TID251, T201 - a client of somebody else's has neither our JSON reader nor our stdout

import json
import subprocess
import sys


def send(sidecar, **message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sidecar.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    sidecar.stdin.flush()


def read(sidecar):
    length = 0
    while line := sidecar.stdout.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return json.loads(sidecar.stdout.read(length)) if length else None


def main(prompt):
    pipe = subprocess.PIPE
    with subprocess.Popen(["ai-sidecar", "--stdio"], stdin=pipe, stdout=pipe) as sidecar:
        send(sidecar, id=1, method="initialize", params={"processId": None, "capabilities": {}})
        send(sidecar, method="initialized", params={})
        send(
            sidecar,
            id=2,
            method="ai/stream",
            params={"prompt": prompt, "partialResultToken": "answer"},
        )
        while (message := read(sidecar)) is not None and message.get("id") != 2:
            value = message.get("params", {}).get("value", {})
            if value.get("kind") == "text":
                print(value["text"], end="", flush=True)
        print()
        send(sidecar, id=3, method="shutdown")
        send(sidecar, method="exit")
        if message is None or "error" in message:
            sys.exit(message["error"]["message"] if message else "the sidecar ended")


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "Say hello.")
