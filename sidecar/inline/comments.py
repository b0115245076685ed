"""How a line comment is written, by LSP language id. Only languages of which that is certain."""

_HASH = (
    "python ruby perl r shellscript sh bash zsh fish yaml toml dockerfile makefile cmake elixir "
    "julia nix powershell coffeescript gdscript"
)
_SLASHES = (
    "c cpp csharp objective-c objective-cpp java javascript javascriptreact typescript "
    "typescriptreact go rust swift kotlin scala dart php groovy zig fsharp scss less jsonc proto "
    "glsl"
)
_DASHES = "lua sql haskell ada elm"

_MARKS = {
    **dict.fromkeys(_HASH.split(), "#"),
    **dict.fromkeys(_SLASHES.split(), "//"),
    **dict.fromkeys(_DASHES.split(), "--"),
}


def comment(language: str, text: str) -> str:
    """Return `text` as a comment of one line, "" where nobody knows how."""
    sign = mark(language)
    return f"{sign} {text}" if sign else ""


def mark(language: str) -> str:
    """Return what begins a comment that ends with its line, "" where nobody knows."""
    return _MARKS.get(language, "")
