"""Which package index this machine uses, and what its pages say of a project.

Reads the settings of uv and pip, since whoever runs a mirror has told one of them; installs
nothing. Pages are those of the simple repository API: PEP 503 (HTML) and PEP 691 (JSON).
"""

import base64
import configparser
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

import msgspec
import platformdirs

DEFAULT_INDEX = "https://pypi.org/simple"
SYSTEM_FOLDER = Path("/etc" if os.name == "posix" else os.environ.get("PROGRAMDATA", "C:/"))
ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"


class IndexSettings(NamedTuple):
    """`indexes` in the order to ask them; `ca_bundle` and `proxy` as pip is configured for."""

    indexes: list[str]
    ca_bundle: str | None = None
    proxy: str | None = None


class IndexFile(NamedTuple):
    """A file that an index offers. `sha256` is None where the index does not say."""

    url: str
    name: str
    sha256: str | None


def index_settings(environ: Mapping[str, str]) -> IndexSettings:
    """Return what uv and pip are configured for: variables first, then uv's files, then pip's."""
    uv, pip = _uv_files(environ), _pip_files(environ)
    main = (
        environ.get("UV_DEFAULT_INDEX")
        or environ.get("UV_INDEX_URL")
        or environ.get("PIP_INDEX_URL")
        or uv.get("default")
        or pip.get("index-url")
        or DEFAULT_INDEX
    )
    extra = (
        environ.get("UV_INDEX")
        or environ.get("UV_EXTRA_INDEX_URL")
        or environ.get("PIP_EXTRA_INDEX_URL")
        or uv.get("extra")
        or pip.get("extra-index-url")
        or ""
    )
    # `UV_DEFAULT_INDEX` and `UV_INDEX` may name an index: NAME=URL.
    indexes = [re.sub(r"^[\w.-]+=(?=https?://)", "", url) for url in [main, *extra.split()]]
    return IndexSettings(
        indexes=list(dict.fromkeys(url.rstrip("/") for url in indexes)),
        ca_bundle=environ.get("PIP_CERT") or pip.get("cert") or None,
        proxy=environ.get("PIP_PROXY") or pip.get("proxy") or None,
    )


def project_page(index: str, project: str) -> str:
    """Return the address of a project's page, its name normalised as PEP 503 says."""
    return f"{index}/{re.sub(r'[-_.]+', '-', project).lower()}/"


def split_login(url: str) -> tuple[str, dict[str, str]]:
    """Return `url` without user and password, and the header that carries them instead."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    secret = base64.b64encode(unquote(login).encode()).decode("ascii")
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {secret}"}


def read_page(page_url: str, content_type: str, body: bytes) -> list[IndexFile]:
    """Return the files that a project's page lists. Raises `ValueError` for what is no page."""
    if "json" in content_type:
        page = msgspec.json.decode(body, type=_Page)
        return [
            IndexFile(urljoin(page_url, file.url), file.filename, file.hashes.get("sha256"))
            for file in page.files
        ]
    links = _Links()
    links.feed(body.decode("utf-8", "replace"))
    files: list[IndexFile] = []
    for link in links.found:
        url, fragment = urldefrag(urljoin(page_url, link))
        name = unquote(urlsplit(url).path.rpartition("/")[2])
        algorithm, _, digest = fragment.partition("=")
        files.append(IndexFile(url, name, digest.lower() if algorithm == "sha256" else None))
    return files


class _PageFile(msgspec.Struct):
    filename: str
    url: str
    hashes: dict[str, str] = {}


class _Page(msgspec.Struct):
    files: list[_PageFile]


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


# --- The files of uv and pip -----------------------------------------------------------


def _uv_files(environ: Mapping[str, str]) -> dict[str, str]:
    """`default` and `extra` (space-separated) of the first uv.toml that names an index."""
    named = environ.get("UV_CONFIG_FILE")
    user = platformdirs.user_config_path("uv", appauthor=False, roaming=True)
    home = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "uv"
    system = (
        Path("/etc/uv") if os.name == "posix" else Path(environ.get("PROGRAMDATA", "C:/")) / "uv"
    )
    folders = [home, user, system / "uv"]
    for path in [Path(named)] if named else [folder / "uv.toml" for folder in folders]:
        found = _uv_file(path)
        if found:
            return found
    return {}


def _uv_file(path: Path) -> dict[str, str]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    found: dict[str, str] = {}
    tables: list[dict[str, Any]] = [content]
    if isinstance(pip := content.get("pip"), dict):
        tables.append(cast("dict[str, Any]", pip))
    for table in tables:
        if isinstance(url := table.get("index-url"), str):
            found.setdefault("default", url)
    extra: list[str] = []
    for entry in cast("list[dict[str, Any]]", content.get("index") or []):
        if not isinstance(url := entry.get("url"), str):
            continue
        if entry.get("default"):
            found["default"] = url
        else:
            extra.append(url)
    if extra:
        found["extra"] = " ".join(extra)
    return found


def _pip_files(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's settings; a later file of its documented order replaces what an earlier one says."""
    found: dict[str, str] = {}
    for path in _pip_paths(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                pairs = parser.items(section)
                found |= {name.replace("_", "-"): " ".join(v.split()) for name, v in pairs}
    return found


def _pip_paths(environ: Mapping[str, str]) -> Iterator[Path]:
    name = "pip.ini" if os.name == "nt" else "pip.conf"
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    yield SYSTEM_FOLDER / ("xdg/pip" if os.name == "posix" else "pip") / name
    if os.name == "posix":
        yield SYSTEM_FOLDER / name
    yield Path.home() / (".pip" if os.name == "posix" else "pip") / name
    yield Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pip" / name
    yield platformdirs.user_config_path("pip", appauthor=False, roaming=True) / name
    yield Path(sys.prefix) / name
    if named:
        yield Path(named)
