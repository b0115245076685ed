"""Imports `lsprotocol.types`, before anything else does, in a way that takes 6 MB less.

attrs gives the methods that it makes for a class a copy of everything that the class's module
holds so far, if `sys.modules` has that module (https://github.com/python-attrs/attrs/issues/1596):
so that `typing.get_type_hints(Class.__init__)` finds the names. For 554 classes in one module that
is 5.4 MB, and nobody asks for those hints: cattrs takes the classes' own. So the module is entered
once it is complete. attrs also leaves the source of each method with `linecache`: 1.7 MB. It may
know nothing else.
"""

import importlib
import importlib.util
import linecache
import sys

_NAME = "lsprotocol.types"


def _load() -> None:
    parent = importlib.import_module("lsprotocol")
    spec = importlib.util.find_spec(_NAME)
    if spec is None or spec.loader is None:
        return  # whoever imports it next will say so
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # One that came by another way meanwhile has been used: there must not be two of each class.
    if sys.modules.setdefault(_NAME, module) is module:
        parent.types = module  # type: ignore[attr-defined]  # as an import does
    linecache.clearcache()


if _NAME not in sys.modules:
    _load()
