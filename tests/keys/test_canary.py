"""Every way through the program with marked secrets; then everything it wrote is searched.

The real process, with every kind of provider there is, each with secrets of its own from another
kind of source, on services that do with a key what a careless one might: repeat it in an error, a
header, a request id, a stream, or send it elsewhere. `MOODS` says what they do, `METHODS` what is
asked of each. Searched for, in every form of `marks.forms`: the frames, stderr, the log at `trace`,
every file below the home and temporary folders, the process list, what started programs could see,
and what every other provider's service received.
"""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from providers.registry import KINDS
from tests.contract.process import Sidecar
from tests.http.server import RawServer, plain, server_context
from tests.keys.marks import files_below, found_in, mark
from tests.keys.services import MOODS, Moods

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(os.name != "posix", reason="the programs it starts are shell scripts"),
]

FEW = ("openai", "azure", "anthropic", "gemini", "vertex", "bedrock", "openai-compatible")
OWN_WAYS = ("vscode-lm", "mock", "local", "claude-code")  # no HTTP service of theirs to listen at
WHOLE = (
    "well",
    "breaks off in the stream with an echo",
)  # moods in which an unstreamed one is well
PASSWORD = mark("proxy", "password")


class Canary:
    """The configuration of every kind with marked secrets, and all that could show one."""

    def __init__(self, folder: Path) -> None:
        self.vault = folder / "vault"  # where the secrets may be: what the person wrote
        self.home = folder / "home"
        self.children = folder / "children"
        for path in (self.vault, self.home / "tmp", self.children):
            path.mkdir(parents=True)
        self.env: dict[str, str] = {
            "TMPDIR": str(self.home / "tmp"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "AWS_CONFIG_FILE": str(self.vault / "aws-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.vault / "aws-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_GCE_CHECK": "true",
        }
        self.secrets: dict[str, list[str]] = {}
        self.moods = Moods()
        self.out = bytearray()
        self._count = 0

    def secret(self, owner: str, part: str) -> str:
        made = mark(owner, part)
        self.secrets.setdefault(owner, []).append(made)
        return made

    def source(self, owner: str, part: str = "key") -> Any:
        """A setting for a secret: each asked for is found in the next kind of place."""
        secret = self.secret(owner, part)
        name = f"{owner}-{part}".replace("/", "-")
        ways = (self._literal, self._variable, self._file, self._command, self._keychain)
        self._count += 1
        return ways[self._count % len(ways)](name, secret)

    def _literal(self, _: str, secret: str) -> Any:
        return secret

    def _variable(self, name: str, secret: str) -> Any:
        variable = f"CANARY_{name.upper().replace('-', '_')}"
        self.env[variable] = secret
        return {"env": variable}

    def _file(self, name: str, secret: str) -> Any:
        (self.vault / name).write_text(secret)
        return {"file": str(self.vault / name)}

    def _command(self, name: str, secret: str) -> Any:
        return {"command": [str(self.script(name, f"cat {self.vault / name}", secret))]}

    def _keychain(self, name: str, secret: str) -> Any:
        """A backend of `keyring` in a file of its own, for the process under test."""
        pytest.importorskip("keyring", reason="the extra `keyring` is not installed")
        backend = self.vault / "canary_keychain.py"
        backend.write_text(_KEYCHAIN)
        self.env |= {
            "PYTHONPATH": str(self.vault),
            "PYTHON_KEYRING_BACKEND": "canary_keychain.Keychain",
        }
        (self.vault / f"keychain-{name}").write_text(secret)
        return {"keyring": f"canary/{name}"}

    def script(self, name: str, text: str, content: str = "") -> Path:
        """A program that notes what it could see of itself and of its parent, then runs `text`."""
        (self.vault / name).write_text(content)
        path = self.vault / f"{name}.sh"
        seen = self.children / name
        look = [
            f"tr '\\0' '\\n' </proc/{who}/{what}"
            for who in ("self", "$PPID")
            for what in ("cmdline",)
        ] + ["env"]
        path.write_text("#!/bin/sh\n{ " + "; ".join(look) + f"; }} >>{seen} 2>&1\n{text}\n")
        path.chmod(0o700)
        return path

    async def provider(self, kind: str) -> tuple[dict[str, Any], RawServer]:
        """Return the settings of one kind, and its service."""
        server = await self.moods.service(kind)
        url = server.origin
        told: dict[str, Any] = {"kind": kind, "baseUrl": url, "model": "m"}
        told["headers"] = {"X-Extra": self.secret(kind, "header")}
        if kind == "vertex":
            told |= {"project": "p", "location": "us-central1", "model": "gemini-2.5-flash"}
            told["accessToken"] = self.source(kind, "token")
        elif kind == "azure":
            told |= {
                "deployment": "m",
                "accessToken": self._command("entra", self.secret(kind, "entra")),
            }
        elif kind in ("bedrock", "aws"):
            told |= {"region": "us-east-1", "profile": kind, "model": "anthropic.claude-x"}
            self._profile(kind)
        else:
            told["apiKey"] = self.source(kind)
            if kind == "anthropic":
                told["authToken"] = self.source(kind, "token")
            if kind == "openai-compatible":  # a pool
                told["apiKey"] = [told["apiKey"], self.source(kind, "second")]
        return told, server

    def _profile(self, name: str) -> None:
        """A profile whose credentials a program prints."""
        # The access key's id is no secret to AWS, but ours to hide all the same.
        grant = {
            "Version": 1,
            "AccessKeyId": self.secret(name, "id").strip("=").replace("/", "").replace("+", ""),
            "SecretAccessKey": self.secret(name, "secret"),
            "SessionToken": self.secret(name, "session"),
        }
        self.secrets[name][-3] = grant["AccessKeyId"]
        path = self.script(f"{name}-process", f"cat {self.vault}/{name}-process", json.dumps(grant))
        with (self.vault / "aws-config").open("a") as file:
            file.write(f"[profile {name}]\ncredential_process = {path}\n")

    # --- what was written ---------------------------------------------------------------------

    def check(self, stderr: str) -> None:
        """Fail with every place at which a form of a secret was found."""
        everything = [secret for owned in self.secrets.values() for secret in owned]
        hits = {"frames": found_in(bytes(self.out), everything)}
        hits["stderr"] = found_in(stderr.encode(), everything)
        for path, content in [*files_below(self.home), *files_below(self.children)]:
            hits[str(path)] = found_in(content, [s for s in everything if not self._may(path, s)])
        for owner, got in self.moods.got.items():
            foreign = [s for name, owned in self.secrets.items() if name != owner for s in owned]
            hits[f"the service of {owner}"] = found_in(bytes(got), foreign)
        assert {place: found for place, found in hits.items() if found} == {}

    def _may(self, path: Path, secret: str) -> bool:
        """What a person puts into an own variable is for the programs they have started."""
        return path.parent == self.children and secret in self.env.values()


_KEYCHAIN = """
from pathlib import Path
from keyring.backend import KeyringBackend

class Keychain(KeyringBackend):
    priority = 1
    def get_password(self, service, username):
        return (Path(__file__).parent / f"keychain-{username}").read_text()
    def set_password(self, *args): raise NotImplementedError
    delete_password = set_password
"""


class Ears(Sidecar):
    """Keeps everything that comes on stdout, and answers the editor's part of `vscode-lm`."""

    canary: Canary

    async def read(self) -> Any:
        message = await super().read()
        self.canary.out += json.dumps(message, ensure_ascii=False).encode()
        return message

    async def ask(self, method: str, params: Any) -> Any:
        asked = self.request(method, params)
        async with asyncio.timeout(30):
            return (await self.until_answer(asked))[1]


@pytest_asyncio.fixture
async def unknown_ca() -> AsyncIterator[RawServer]:
    """A service whose certificate nobody vouches for."""
    context = server_context(trustme.CA().issue_cert("127.0.0.1"))
    server = await RawServer.start([plain(b"{}")], context=context)
    yield server
    await server.aclose()


@asynccontextmanager
async def running(
    canary: Canary, options: dict[str, Any], *, program: tuple[str, ...] = ()
) -> AsyncIterator[Ears]:
    log = canary.home / "log"
    arguments = ("--log-level", "trace", "--log-file", str(log))
    made = Ears(canary.home, *arguments, options=options, env=canary.env, quiet=False)
    made.program = program or made.program
    made.canary = canary
    async with made as sidecar:
        yield sidecar
        if sys.platform == "linux":
            listed = Path(f"/proc/{sidecar.process.pid}/cmdline").read_bytes()
            everything = [s for owned in canary.secrets.values() for s in owned]
            assert found_in(listed, everything) == []
    assert log.stat().st_mode & 0o077 == 0
    assert b" TRACE " in log.read_bytes(), "the log is of the level that shows most"
    canary.check(sidecar.stderr)


async def every_method(sidecar: Ears, provider: str) -> list[bool]:
    """Ask everything that goes to a service. Return whether each answer was one."""
    prompt = {"prompt": "hello", "provider": provider, "fallback": []}
    answers = [
        await sidecar.ask("ai/complete", prompt),
        await sidecar.ask("ai/stream", {**prompt, "partialResultToken": 1, "workDoneToken": 2}),
    ]
    await sidecar.ask("ai/models", {"provider": provider, "refresh": True})
    messages = [{"role": "user", "content": "hello"}]
    await sidecar.ask("ai/countTokens", {"messages": messages, "provider": provider})
    await sidecar.ask("ai/health", {"provider": provider, "live": True})
    return ["error" not in answer for answer in answers]


async def of_the_editor(sidecar: Ears) -> None:
    """Ask what an editor asks: typing, commands, what is configured and what was used."""
    uri = "file:///w/a.py"
    text = {"uri": uri, "languageId": "python", "version": 1, "text": "def f(a):\n    return "}
    sidecar.notify("textDocument/didOpen", {"textDocument": text})
    place = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 11}}
    await sidecar.ask("textDocument/inlineCompletion", {**place, "context": {"triggerKind": 1}})
    area = {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 4}}
    await sidecar.ask(
        "textDocument/codeAction",
        {"textDocument": {"uri": uri}, "range": area, "context": {"diagnostics": []}},
    )
    rewrite = {"uri": uri, "range": area, "instruction": "shorter"}
    for command, argument in (
        ("aiSidecar.rewrite", rewrite),
        ("aiSidecar.accepted", {"id": "x"}),
        ("aiSidecar.selectModel", {"model": "m"}),
    ):
        await sidecar.ask("workspace/executeCommand", {"command": command, "arguments": [argument]})
    await sidecar.ask("ai/providers", {})
    await sidecar.ask("ai/metrics", {})


def base_options(**more: Any) -> dict[str, Any]:
    return {"retry": {"attempts": 1}, "inline": {"debounceMs": 0}, **more}


async def through(canary: Canary, kinds: list[str], moods: tuple[str, ...]) -> None:
    async with AsyncExitStack() as stack:
        catcher = await canary.moods.service("whoever a redirect names")
        stack.push_async_callback(catcher.aclose)
        canary.moods.elsewhere = catcher.origin
        providers: dict[str, Any] = {}
        for kind in kinds:
            providers[f"p-{kind}"], server = await canary.provider(kind)
            stack.push_async_callback(server.aclose)
        options = base_options(providers=providers, default=f"p-{kinds[0]}")
        async with running(canary, options) as sidecar:
            for mood in moods:
                canary.moods.now = mood
                for kind in kinds:
                    answered = await every_method(sidecar, f"p-{kind}")
                    assert answered == [mood in WHOLE, mood == "well"], (kind, mood)
                await of_the_editor(sidecar)
            # What the program could log about its own settings.
            sidecar.notify("workspace/didChangeConfiguration", {"settings": {"aiSidecar": options}})
            await sidecar.ask("ai/providers", {})
        assert not catcher.requests
    for kind in kinds:
        got = bytes(canary.moods.got[kind])
        # The test would find a secret: each service did get its own (AWS's signs, and is not sent).
        sent = canary.secrets[kind] if kind not in ("bedrock", "aws") else canary.secrets[kind][-1:]
        assert found_in(got, sent), f"{kind} was never asked with its key"


async def test_the_main_kinds(tmp_path: Path) -> None:
    few = ("well", "refuses and echoes", "breaks off in the stream with an echo", "sends elsewhere")
    await through(Canary(tmp_path), list(FEW), few)


@pytest.mark.slow
@pytest.mark.parametrize("share", range(4))
async def test_every_kind(share: int, tmp_path: Path) -> None:
    kinds = [kind for kind in KINDS if kind not in OWN_WAYS]
    await through(Canary(tmp_path), kinds[share::4], MOODS)


# --- no service at all, or none that can be trusted ------------------------------------------


async def test_no_way_to_the_service(tmp_path: Path, unknown_ca: RawServer) -> None:
    """TLS that is not trusted, names that do not exist, a proxy that refuses its password."""
    canary = Canary(tmp_path)
    proxy = await RawServer.start([plain(b"no: " + PASSWORD.encode(), 407)])
    canary.secrets["proxy"] = [PASSWORD, base64.b64encode(f"me:{PASSWORD}".encode()).decode()]
    ways = {
        "tls": unknown_ca.origin,
        "dns": "https://no-such-service.example",
        "plain": "http://192.0.2.1",
        "refused": "https://[::1]:1",
    }
    providers = {
        name: {"kind": "openai", "baseUrl": url, "apiKey": canary.source(name), "model": "m"}
        for name, url in ways.items()
    }
    quoted = quote(PASSWORD, safe="")
    for http in ({}, {"proxy": f"http://me:{quoted}@127.0.0.1:{proxy.port}", "noProxy": []}):
        options = base_options(providers=providers, http=http)
        async with running(canary, options) as sidecar:
            for name in ways:
                answered = await every_method(sidecar, name)
                assert answered == [False, False]
            await of_the_editor(sidecar)
    assert found_in(proxy.requests[0].raw_head, canary.secrets["proxy"][1:])
    await proxy.aclose()
    assert unknown_ca.requests == []


FORCED = """
import sys
from sidecar.__main__ import main
from providers.http import client

async def send(self, request, **_):
    raise ValueError(f"forced: {request.headers} {request.url}")

client.HttpClient.send = send
sys.exit(main())
"""


async def test_a_bug_that_shows_what_it_holds(tmp_path: Path) -> None:
    """An exception with the whole request in its text is logged whole, with nothing to steal."""
    canary = Canary(tmp_path)
    program = tmp_path / "forced.py"
    program.write_text(FORCED)
    kinds = ("openai", "anthropic", "gemini", "bedrock")
    async with AsyncExitStack() as stack:
        providers: dict[str, Any] = {}
        for kind in kinds:
            providers[kind], server = await canary.provider(kind)
            stack.push_async_callback(server.aclose)
        options = base_options(providers=providers, default="openai")
        start = (sys.executable, "-P", str(program))
        async with running(canary, options, program=start) as sidecar:
            for kind in kinds:
                assert await every_method(sidecar, kind) == [False, False]
            await of_the_editor(sidecar)
    log = (canary.home / "log").read_text()
    assert "Traceback" in log and "forced: {" in log and "[hidden]" in log


# --- what is started beside it ---------------------------------------------------------------


async def test_programs_and_the_embedded_model(tmp_path: Path) -> None:
    """A login's program, the editor's own models and Google's chain, which refuses with an echo."""
    canary = Canary(tmp_path)
    said = json.dumps({"type": "result", "subtype": "success", "is_error": True, "result": "no"})
    claude = canary.script("claude", f"[ $1 = --version ] || cat >/dev/null; echo '{said}'")
    token = await canary.moods.service("google's tokens")
    vertex, upstream = await canary.provider("vertex")
    up, other = await canary.provider("openai-compatible")
    del vertex["accessToken"]
    account = canary.vault / "account.json"
    account.write_text(json.dumps(_service_account(token.origin)))
    canary.env |= {"GOOGLE_APPLICATION_CREDENTIALS": str(account)}
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"):
        canary.env[name] = canary.secret(name, "environment")
    canary.env["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"
    providers = {
        "claude-code": {"program": str(claude)},
        "vertex": vertex,
        "up": up,
    }
    options = base_options(providers=providers, default="up")
    async with running(canary, options) as sidecar:
        for mood in ("refuses and echoes", "sends elsewhere", "well"):
            canary.moods.now = mood
            for name in ("claude-code", "vertex", "up", "mock"):
                await every_method(sidecar, name)
        for _ in range(2):
            await of_the_editor(sidecar)
    seen = (canary.children / "claude").read_text()
    assert "HOME=" in seen
    assert (
        found_in(seen.encode(), [v for n, v in canary.env.items() if n.endswith("_API_KEY")]) == []
    )
    assert token.requests, "the chain was asked"
    for server in (token, upstream, other):
        await server.aclose()


def _service_account(origin: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "client_email": "a@p.iam.gserviceaccount.com",
        "private_key_id": "1",
        "private_key": private.decode(),
        "token_uri": f"{origin}/token",
        "project_id": "p",
    }
