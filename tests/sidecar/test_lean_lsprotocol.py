"""The LSP types imported our way are the same, and smaller: each way in a process of its own."""

import subprocess
import sys
from pathlib import Path

DESCRIBE = """
import sys, typing
import attrs, cattrs, lsprotocol
from lsprotocol import converters, types
import lsprotocol.types as same

assert types is same is lsprotocol.types is sys.modules["lsprotocol.types"]
assert types.Position is types.ALL_TYPES_MAP["Position"]
converter = converters.get_converter()  # which resolves what stands in quotes
for name, each in sorted(types.ALL_TYPES_MAP.items()):
    assert getattr(types, name, each) is each
    print(name, each)
    if isinstance(each, type) and attrs.has(each):
        assert sys.modules[each.__module__] is types
        for field in attrs.fields(each):
            default = repr(field.default).partition(" at 0x")[0]
            print("   ", field.name, field.type, default, typing.get_type_hints(each)[field.name])
message = {
    "jsonrpc": "2.0", "id": 1, "method": "textDocument/codeAction",
    "params": {
        "textDocument": {"uri": "file:///a"},
        "range": {"start": {"line": 1, "character": 2}, "end": {"line": 3, "character": 4}},
        "context": {"diagnostics": [], "triggerKind": 1, "only": ["quickfix"]},
    },
}
there = converter.structure(message, types.CodeActionRequest)
assert converter.unstructure(there) == message
print(there)
try:
    converter.structure(message | {"params": {"range": 1}}, types.CodeActionRequest)
except cattrs.ClassValidationError as error:
    print(sorted(cattrs.transform_error(error)))
"""

MEASURE = """
import attrs, lsprotocol.types as types, linecache
made = [each for each in vars(types).values() if isinstance(each, type) and attrs.has(each)]
assert len(made) > 400
print(sum("TextDocumentItem" in each.__init__.__globals__ for each in made))
print(sum(name.startswith("<attrs generated") for name in linecache.cache))
"""

LEAN = "import sidecar.lean_lsprotocol\n"


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_types_are_the_same() -> None:
    ordinary = run(DESCRIBE)
    assert len(ordinary.splitlines()) > 2000
    assert run(LEAN + DESCRIBE) == ordinary


def test_no_class_keeps_a_copy_of_the_module_nor_its_source() -> None:
    assert run(LEAN + MEASURE).split() == ["0", "0"]


def test_types_that_are_there_already_stay() -> None:
    before = "import lsprotocol.types as types, enum\n"
    again = "enum.unique = None  # which making them once more would need\n"
    run(before + again + LEAN + "import sys; assert sys.modules['lsprotocol.types'] is types")


def test_there_are_never_two_of_each_class() -> None:
    """Somebody imports them the ordinary way while they are being made."""
    meddle = """
import importlib.machinery as machinery, sys
execute = machinery.SourceFileLoader.exec_module
def executed(loader, module):
    execute(loader, module)
    if module.__name__ == "lsprotocol.types" and module.__name__ not in sys.modules:
        import lsprotocol.types
        sys.used_by_somebody = lsprotocol.types
machinery.SourceFileLoader.exec_module = executed
"""
    check = """
import lsprotocol, sys
from lsprotocol import types
assert lsprotocol.types is types is sys.modules["lsprotocol.types"] is sys.used_by_somebody
"""
    run(meddle + LEAN + check)
