"""Where the test of a file goes: beside it, under the name its language's tools look for. Pure."""

from pathlib import PurePosixPath

_NAMES = {
    "python": "test_{stem}.py",
    "javascript": "{stem}.test{suffix}",
    "javascriptreact": "{stem}.test{suffix}",
    "typescript": "{stem}.test{suffix}",
    "typescriptreact": "{stem}.test{suffix}",
    "go": "{stem}_test.go",
    "java": "{stem}Test.java",
    "kotlin": "{stem}Test.kt",
    "scala": "{stem}Test.scala",
    "groovy": "{stem}Test.groovy",
    "csharp": "{stem}Tests.cs",
    "swift": "{stem}Tests.swift",
    "php": "{stem}Test.php",
    "ruby": "{stem}_spec.rb",
    "lua": "{stem}_spec.lua",
    "dart": "{stem}_test.dart",
    "elixir": "{stem}_test.exs",
    "c": "{stem}_test.c",
    "cpp": "{stem}_test{suffix}",
    "zig": "{stem}_test.zig",
    "shellscript": "{stem}.bats",
}

INSIDE = frozenset({"rust"})
"""Languages whose unit tests stand at the end of the file itself."""


def name_of_tests(path: str, language: str) -> str | None:
    """Return the name of the file beside `path`; None where there is no custom, or it is a test."""
    pattern = _NAMES.get(language)
    pure = PurePosixPath(path)
    if pattern is None or not pure.stem or holds_tests(pure.name, language):
        return None
    return pattern.format(stem=pure.stem, suffix=pure.suffix)


def holds_tests(name: str, language: str) -> bool:
    """Say whether a file of this name holds tests itself."""
    pattern = _NAMES.get(language, "")
    head, _, tail = pattern.partition("{stem}")
    stem = PurePosixPath(name)
    tail = tail.replace("{suffix}", stem.suffix)
    return bool(head or tail != stem.suffix) and name.startswith(head) and name.endswith(tail)
