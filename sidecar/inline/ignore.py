"""Which files are never completed nor sent: what the user names, and what holds secrets. Pure.

A glob without a slash fits a name anywhere in the path, a folder's too; one with a slash fits the
path from the workspace's root, or the whole path. `**` crosses folders.
"""

import re
from functools import lru_cache

SECRETS = (
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".my.cnf",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    ".git-credentials",
    "credentials",
    "credentials.json",
    "credentials.toml",
    "secrets.json",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "*.tfvars",
    "*.tfvars.json",
    "*.tfstate",
    "*.tfstate.*",
    ".terraformrc",
    "kubeconfig",
    "*.kubeconfig",
    ".dockercfg",
    ".vault-token",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
)
"""Names under which tools of many kinds keep what opens doors, whatever their case."""

SECRET_PLACES = ("/.docker/config.json", "/.kube/config")
"""Files whose names alone say nothing."""

SECRET_FOLDERS = frozenset({".git", ".ssh", ".aws", ".gnupg"})
"""Nothing below them leaves: a repository's address in `.git/config` may have a token in it."""

WRITTEN_IN_GIT = ("*_editmsg", "*_msg", "git-rebase-todo")
"""What people write in `.git`: messages, and the list of a rebase."""


def is_ignored(path: str, root: str, globs: list[str]) -> bool:
    """Say whether the file at `path` (absolute, or what a URI has for one) stays here.

    `root`: the workspace's folder, "" if there is none.
    """
    path = path.replace("\\", "/")
    if _is_secret(path.lower()):
        return True
    inside = _below(path, root.replace("\\", "/").rstrip("/"))
    return any(_fits(glob, path, inside) for glob in globs)


def _is_secret(path: str) -> bool:
    """Say so of a path in lower case, with slashes."""
    *folders, name = path.split("/")
    if _is_any(name, SECRETS) or f"/{path}".endswith(SECRET_PLACES):
        return True
    inside = [folder for folder in folders if folder in SECRET_FOLDERS]
    return bool(inside) and not (set(inside) == {".git"} and _is_any(name, WRITTEN_IN_GIT))


def _is_any(name: str, globs: tuple[str, ...]) -> bool:
    return any(_pattern(glob).fullmatch(name) for glob in globs)


def _below(path: str, root: str) -> str:
    return path[len(root) + 1 :] if root and path.startswith(root + "/") else path.lstrip("/")


def _fits(glob: str, path: str, inside: str) -> bool:
    glob = glob.strip().replace("\\", "/")
    folder = glob.endswith("/")
    glob = glob.rstrip("/")
    if not glob:
        return False
    if "/" not in glob:
        parts = inside.split("/")
        return any(_pattern(glob).fullmatch(part) for part in (parts[:-1] if folder else parts))
    pattern = _pattern(glob.removeprefix("./"))
    rooted = _pattern(glob.lstrip("/"))
    for whole in (path, inside):
        for end in _ends(whole, folder):
            if pattern.fullmatch(end) or rooted.fullmatch(end):
                return True
    return False


def _ends(path: str, folder: bool) -> list[str]:
    """Return the path and the folders it is in, as a glob may name any of them."""
    parts = path.split("/")
    last = len(parts) if not folder else len(parts) - 1
    return ["/".join(parts[:end]) for end in range(1, last + 1)]


@lru_cache(maxsize=512)
def _pattern(glob: str) -> re.Pattern[str]:
    made, at = "", 0
    while at < len(glob):
        char = glob[at]
        if glob.startswith("**/", at):
            made, at = made + "(?:.*/)?", at + 3
        elif glob.startswith("**", at):
            made, at = made + ".*", at + 2
        elif char == "[" and (end := glob.find("]", at + 2)) > 0:
            inner = glob[at + 1 : end].replace("\\", "\\\\")
            made += f"[{'^' + inner[1:] if inner[0] in '!^' else inner}]"
            at = end + 1
        else:
            made += {"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char)
            at += 1
    try:
        return re.compile(made, re.DOTALL)
    except re.error:
        return re.compile(re.escape(glob))
