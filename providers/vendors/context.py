"""What every provider shares with the others of its process."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from providers.auth.redact import Redactor
from providers.base import TokenStream
from providers.catalog import Catalog
from providers.settings import HttpSettings, TimeoutSettings
from providers.types import ChatRequest

if TYPE_CHECKING:
    from providers.http.client import HttpClient


class EditorModels(Protocol):
    """The models that the editor itself has. Whoever knows the editor implements this port."""

    def ask(self, request: ChatRequest) -> TokenStream:
        """Return the answer of the model `request.model` ("": the editor's choice).

        Raises `ProviderError`. Closing the stream tells the editor to stop.
        """
        ...


class ProviderContext:
    """Made once by the manager.

    `on_status(provider, message)` tells a person what takes so long ("loading the model").
    `editor_models` is None where no editor offers any.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        catalog: Catalog,
        http: HttpSettings,
        timeouts: TimeoutSettings,
        redactor: Redactor,
        on_status: Callable[[str, str], None],
        editor_models: EditorModels | None = None,
    ) -> None:
        self.environ = environ
        self.catalog = catalog
        self.http = http
        self.timeouts = timeouts
        self.redactor = redactor
        self.on_status = on_status
        self.editor_models = editor_models
        self.client_if_used: HttpClient | None = None
        self._replaced: list[HttpClient] = []

    @property
    def client(self) -> "HttpClient":
        """The one HTTP client of the process, made at its first use."""
        if self.client_if_used is None:
            from providers.http.client import HttpClient

            self.client_if_used = HttpClient(self.http, self.timeouts, environ=self.environ)
        return self.client_if_used

    def replace_client(self) -> None:
        """Make a new client at the next request; streams on the former one go on to their end."""
        if self.client_if_used is not None:
            self._replaced.append(self.client_if_used)
            self.client_if_used = None

    async def aclose(self) -> None:
        """Close every connection."""
        self.replace_client()
        for client in self._replaced:
            await client.aclose()
        self._replaced.clear()
