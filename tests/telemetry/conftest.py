"""Retries without their waits, as in the manager's own tests."""

from tests.manager.conftest import waits

__all__ = ["waits"]
