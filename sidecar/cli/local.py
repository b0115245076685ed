"""`ai-sidecar local install|remove`: the embedded model's weights, in the user's data folder."""

import asyncio
import importlib.util
import os
from pathlib import Path

import msgspec

from providers.extras import install_command
from providers.http.client import HttpClient
from providers.settings import TimeoutSettings
from providers.vendors.local_weights import MODEL_ID, SHA256, data_file
from sidecar.cli.ask_screen import Screen
from sidecar.cli.local_download import DownloadFailed, download, sha256_of
from sidecar.cli.output import command, parser
from sidecar.cli.package_index import index_settings
from sidecar.config.store import ConfigStore

_DOWNLOAD_SECONDS = 3600.0  # 93 MB over a slow line


class _Report(msgspec.Struct, omit_defaults=True):
    """What `--json` prints."""

    action: str
    path: str
    changed: bool
    sha256: str | None = None
    bytes: int | None = None
    error: str | None = None


@command
def run(argv: list[str]) -> int:
    """Install or remove; return the exit code: 0, or 1 with the reason on stderr."""
    arguments = parser("local", "The weights of the embedded model.")
    actions = arguments.add_subparsers(dest="action", required=True, metavar="install|remove")
    texts = {"install": "fetch the weights (98 MB)", "remove": "delete the weights"}
    for name, text in texts.items():
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("--json", action="store_true", help="print the result as JSON")
    args = arguments.parse_args(argv)
    screen, path = Screen(), data_file()
    try:
        report = _install(path, screen) if args.action == "install" else _remove(path)
    except (DownloadFailed, OSError) as error:
        report = _Report(args.action, str(path), changed=False, error=str(error))
    screen.status("")
    if args.json:
        screen.json(msgspec.json.encode(report))
    elif report.error is not None:
        screen.note(f"ai-sidecar: {report.error}", always=True)
    else:
        screen.text(_words(report) + "\n")
    return 0 if report.error is None else 1


def _install(path: Path, screen: Screen) -> _Report:
    changed = not (path.is_file() and sha256_of(path) == SHA256)
    if changed:
        asyncio.run(_fetch(path, screen))
    size = path.stat().st_size
    return _Report("install", str(path), changed, sha256=SHA256, bytes=size)


async def _fetch(path: Path, screen: Screen) -> None:
    found = index_settings(os.environ)
    http = ConfigStore(os.environ).config.http
    if http.proxy is None and found.proxy is not None:
        http = msgspec.structs.replace(http, proxy=found.proxy)
    if http.ca_bundle is None and found.ca_bundle is not None:
        http = msgspec.structs.replace(http, ca_bundle=found.ca_bundle)

    def progress(received: int, size: int) -> None:
        of = f" of {size / 1e6:.0f}" if size else ""
        screen.status(f"fetching {MODEL_ID}: {received / 1e6:.0f}{of} MB")

    client = HttpClient(http, TimeoutSettings(total=_DOWNLOAD_SECONDS), environ=os.environ)
    try:
        screen.status(f"looking for {MODEL_ID} …")
        await download(client, found.indexes, path, progress=progress)
    finally:
        await client.aclose()


def _remove(path: Path) -> _Report:
    changed = path.exists()
    path.unlink(missing_ok=True)
    return _Report("remove", str(path), changed)


def _words(report: _Report) -> str:
    if report.action == "remove":
        return f"removed {report.path}" if report.changed else f"there is no {report.path}"
    done = "installed" if report.changed else "already installed"
    text = f"{done}: {report.path}"
    if importlib.util.find_spec("xllamacpp") is None:
        text += f"\nThe runtime is still missing. Run: {install_command('local')}"
    return text
