"""Other people's proxies as child processes on loopback: mitmproxy, tinyproxy, pproxy (SOCKS5)."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2] / ".editors" / "proxies" / "venv" / "bin"
USER = "me"

STREAM = """
def responseheaders(flow):
    flow.response.stream = True  # or it keeps an answer until its end, whoever asks
"""


def program(name: str) -> str:
    """Return the path of a proxy, or skip."""
    found = shutil.which(name, path=str(HOME)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} not found: run tools/editors/proxies.sh")
    return found


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextmanager
def running(folder: Path, port: int, *command: str) -> Iterator[None]:
    """Run a proxy until it is no longer wanted; come back when it listens."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as out:
        env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        process = subprocess.Popen(command, stdout=out, stderr=out, env=env, cwd=folder)
        try:
            until = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > until:
                        raise AssertionError(log.read_text()) from None
                    time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def mitmproxy(folder: Path) -> Iterator[tuple[str, Path]]:
    """Opens every tunnel with certificates of its own. Gives its address and its CA's file."""
    port = free_port()
    (folder / "stream.py").write_text(STREAM)
    options = {
        "--listen-host": "127.0.0.1",
        "--listen-port": str(port),
        "--set": f"confdir={folder}",
        "-s": str(folder / "stream.py"),
    }
    given = [word for pair in options.items() for word in pair]
    command = (program("mitmdump"), "--ssl-insecure", "-q", *given)
    with running(folder, port, *command):
        yield f"http://127.0.0.1:{port}", folder / "mitmproxy-ca-cert.pem"


@contextmanager
def tinyproxy(folder: Path, user: str = USER, password: str = "secret-pass") -> Iterator[str]:
    """Wants Basic authentication. Gives its address, without user and password."""
    port = free_port()
    config = folder / "tinyproxy.conf"
    config.write_text(
        f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nAllow 127.0.0.1\n"
        f'BasicAuth {user} {password}\nLogLevel Info\nLogFile "{folder / "tinyproxy.txt"}"\n'
    )
    with running(folder, port, program("tinyproxy"), "-d", "-c", str(config)):
        yield f"127.0.0.1:{port}"


@contextmanager
def socks5(folder: Path, user: str = USER, password: str = "secret-pass") -> Iterator[str]:
    """A SOCKS5 proxy that wants user and password. Gives its address without them."""
    port = free_port()
    command = (
        program("pproxy"),
        "--auth",
        "0",
        "-l",
        f"socks5://127.0.0.1:{port}#{user}:{password}",
    )
    with running(folder, port, *command):
        yield f"127.0.0.1:{port}"
