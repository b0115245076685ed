"""Installs the project and everything it was tested with into `.venv`, with Python alone.

Needs Python 3.11 with `venv` and `pip`, and nothing else: uv is fetched into `.venv-uv` and puts
the exact versions of `uv.lock` into place, each checked against its recorded hash. A package index
that pip or uv is configured for is used; the lock names the public one only, and stays as it is. A
second run finds nothing to do and takes no time.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

# Before the first annotation, and no syntax newer than 3.6's in this file and in those that import
# it, so that an old Python says this and not "invalid syntax".
if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before anything is installed
    sys.exit(f"Python 3.11 or later is needed, this is {sys.version.split()[0]} ({sys.executable})")

ROOT = Path(__file__).resolve().parent.parent
UV_VERSION = "0.13.9"
WINDOWS = os.name == "nt"

TRY = ["--extra", "local", "--group", "weights", "--no-dev"]
ALL = ["--all-extras", "--group", "weights", "--group", "bench"]


def install(wanted: list[str]) -> Path:
    """Make `.venv` hold the project and `wanted`; return the folder of its programs."""
    environment = Path(os.environ.get("UV_PROJECT_ENVIRONMENT") or ROOT / ".venv")
    programs = programs_of(environment)
    stamp = environment / ".installed"
    marks = {name: fingerprint(options) for name, options in (("all", ALL), ("try", TRY))}
    wanted_marks = {marks["all"]} | ({marks["try"]} if wanted is TRY else set())
    if stamp.is_file() and stamp.read_text("utf-8") in wanted_marks:
        return programs
    try:
        install_with_uv(get_uv(), environment, wanted)
    except subprocess.CalledProcessError as failed:
        sys.exit(f"installation failed: {' '.join(map(str, failed.cmd[:4]))} …")
    stamp.write_text(marks["all" if wanted is ALL else "try"], "utf-8")
    return programs


def get_uv() -> str:
    """Return uv's path, after installing it into an environment of its own where that is new."""
    home = ROOT / ".venv-uv"
    uv = programs_of(home) / ("uv.exe" if WINDOWS else "uv")
    mark = home / ".uv-version"
    there = uv.exists() and Path(pip_of(home)[0]).exists()
    if not (there and mark.is_file() and mark.read_text("utf-8") == UV_VERSION):
        tell("installing uv …")
        if home.exists():
            shutil.rmtree(home)
        run([sys.executable, "-m", "venv", str(home)])
        pip = [*pip_of(home), "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, f"uv=={UV_VERSION}"])
        mark.write_text(UV_VERSION, "utf-8")
    return str(uv)


def install_with_uv(uv: str, environment: Path, wanted: list[str]) -> None:
    """Install the locked versions, whatever index this machine uses, then the project itself."""
    python = programs_of(environment) / ("python.exe" if WINDOWS else "python")
    settings = {**os.environ, **index_of_pip()}
    settings.pop("VIRTUAL_ENV", None)
    if not python.exists():
        # Of a Python that has gone since, as with a new release of the system.
        again = ["--clear"] if (environment / "pyvenv.cfg").exists() else []
        run([uv, "venv", "--quiet", *again, "--python", sys.executable, str(environment)], settings)
    if python.with_name(f"ai-sidecar{python.suffix}").exists():
        tell("installing what is missing; what is there is kept …")
    else:
        tell("installing ai-sidecar with the local model (about 150 MB the first time) …")
    # `uv sync` would download from the hosts that the lock names; through a requirements file the
    # same versions and hashes come from whatever index is configured here.
    locked = environment / "locked-requirements.txt"
    export = [uv, "export", "--frozen", "--quiet", "--no-emit-project", "--no-header"]
    run([*export, *wanted, "--output-file", str(locked)], settings)
    into = ["pip", "install", "--quiet", "--python", str(python), "--no-deps"]
    run([uv, *into, "--require-hashes", "-r", str(locked)], settings)
    run([uv, *into, "--editable", str(ROOT)], settings)


def index_of_pip() -> dict[str, str]:
    """Return uv's settings for the index and certificates that pip is configured for, if any."""
    found: dict[str, str] = {}
    if not any(os.environ.get(n) for n in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE")):
        index, extra = pip_setting("index-url"), pip_setting("extra-index-url")
        if index:
            found["UV_DEFAULT_INDEX"] = index
        if extra:
            found.setdefault("UV_INDEX", extra)
    certificates = pip_setting("cert")
    if certificates and not os.environ.get("SSL_CERT_FILE"):
        found["SSL_CERT_FILE"] = certificates
    return found


def pip_setting(name: str) -> str:
    """Return one of pip's settings, from its environment variable or its configuration files."""
    variable = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if variable:
        return variable
    for section in ("install", "global"):
        command = [*pip_of(ROOT / ".venv-uv"), "config", "get", f"{section}.{name}"]
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            return ""  # no pip here, so nobody has configured one
        if said.returncode == 0 and said.stdout.strip():
            return " ".join(said.stdout.split())
    return ""


def fingerprint(options: list[str]) -> str:
    """Return what an installation depends on, as one line."""
    text = (ROOT / "pyproject.toml").read_bytes() + (ROOT / "uv.lock").read_bytes()
    text += Path(__file__).read_bytes() + " ".join([sys.version, str(ROOT), *options]).encode()
    return hashlib.sha256(text).hexdigest()


def programs_of(environment: Path) -> Path:
    """Return the folder of an environment's programs."""
    return environment / ("Scripts" if WINDOWS else "bin")


def pip_of(environment: Path) -> list[str]:
    """Return the command that is the environment's pip."""
    return [str(programs_of(environment) / ("python.exe" if WINDOWS else "python")), "-m", "pip"]


def run(command: list[str], settings: dict[str, str] | None = None) -> None:
    """Run a step of the installation; its output goes to stderr, so that stdout is the answer's."""
    subprocess.run(command, cwd=ROOT, env=settings, check=True, stdout=sys.stderr)


def tell(text: str) -> None:
    """Say what takes so long."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def replace_process(command: list[str]) -> None:
    """Go on as `command`: its exit code and signals are ours."""
    sys.stdout.flush()
    if WINDOWS:
        sys.exit(subprocess.run(command, check=False).returncode)
    os.execv(command[0], command)


if __name__ == "__main__":
    install(ALL)
