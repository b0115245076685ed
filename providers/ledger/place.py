"""Where the ledger is, and whether a database can be shared there."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from providers.folders import Kind, chosen_path, wanted_path

PATH_VARIABLE = "AI_SIDECAR_LEDGER"
_USUAL: tuple[Kind, str] = ("data", "usage.db")

# Processes share a write-ahead log through shared memory and file locks: over a network neither
# can be relied on (https://sqlite.org/wal.html, overview).
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "coda", "lustre", "gfs2"}
    | {"fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.glusterfs", "fuse.davfs", "davfs"}
)
_DRIVE_REMOTE = 4  # winbase.h


def locate_in(environ: Mapping[str, str]) -> Callable[[], Path] | None:
    """Return what finds the ledger when it is needed; None where the user wants none (`off`)."""
    return wanted_path(environ, PATH_VARIABLE, *_USUAL)


def ledger_path(environ: Mapping[str, str]) -> Path:
    """Return where the ledger is or would be."""
    return chosen_path(environ, PATH_VARIABLE, *_USUAL)


def is_on_network(path: Path) -> bool:
    """Return whether `path` is on storage of another machine, as far as the system tells."""
    if sys.platform == "win32":
        import ctypes

        return ctypes.windll.kernel32.GetDriveTypeW(path.absolute().anchor) == _DRIVE_REMOTE
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape")
    except OSError:
        return False
    return filesystem_of(os.path.realpath(path), mounts) in _NETWORK


def filesystem_of(path: str, mounts: str) -> str:
    """Return the type of the file system that holds `path`, "" if `mounts` (fstab(5)) has none."""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # of two on one another the later one is on top
            best, kind = point, fields[2]
    return kind
