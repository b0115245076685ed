"""A model that plays a script (as for completion while typing)."""

from tests.inline.conftest import asked, script

__all__ = ["asked", "script"]
