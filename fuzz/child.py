"""One target under atheris: instruments what the target names, and hands over to libFuzzer.

Started by `fuzz.engine`: `python -P -m fuzz.child TARGET CORPUS… -OPTION…`.
"""

import sys
import tempfile
from pathlib import Path

import atheris

from fuzz import targets


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    name = sys.argv[1]
    # All of ours, before any of it is imported. An input of one target runs a small part of it.
    with atheris.instrument_imports(include=["providers", "sidecar", "protocol"]):
        target = targets.load(name)
    words = Path(tempfile.mkdtemp(prefix="fuzz-")) / "words"
    words.write_text(_dictionary(target.WORDS))
    options = [f"-dict={words}"] if target.WORDS else []
    corpus = Path(sys.argv[2])
    for index, seed in enumerate(target.SEEDS):
        (corpus / f"seed-{index}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *sys.argv[2:], *options], target.check)
    atheris.Fuzz()


def _dictionary(words: tuple[bytes, ...]) -> str:
    """Return the words as libFuzzer reads them."""
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in words)
    return "".join(f'"{word}"\n' for word in quoted)


main()
