"""Puts the provider side together for one session. Importing this imports the providers."""

import os
from typing import Any

from sidecar.config import ConfigStore
from sidecar.handlers.table import HANDLERS
from sidecar.rpc import Connection
from sidecar.session import Session


def open_session(connection: Connection, params: dict[str, Any]) -> Session:
    """Return the session of `connection`, which serves `ai/*` from now on."""
    session = Session(connection, params, ConfigStore(os.environ), os.environ)
    connection.attach_session(session, HANDLERS)
    return session
