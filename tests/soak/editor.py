"""A short-lived editor: starts the program, says what is in its arguments, and then only holds on.

python tests/soak/editor.py PROGRAM MESSAGES.json
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    program, messages = sys.argv[1:]
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    for message in json.loads(Path(messages).read_text()):
        if message.get("method") == "initialize":
            message["params"]["processId"] = os.getpid()
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        process.stdin.flush()
    time.sleep(600)


if __name__ == "__main__":
    main()
