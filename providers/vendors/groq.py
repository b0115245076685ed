"""Groq: Chat Completions. `service_tier` goes into `providerOptions`.

https://console.groq.com/docs/api-reference
"""

from providers.dialects.base import Dialect
from providers.http.client import HttpResponse
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.chat_vendor import ChatVendor

WARM_SECONDS = 300.0
"""Groq answers within a few hundred milliseconds; a TLS handshake would be a large part of that."""


class Groq(ChatVendor):
    """After its first use the connection is kept open for the next request."""

    kind = "groq"
    default_base_url = "https://api.groq.com/openai/v1"
    default_model = "llama-3.3-70b-versatile"

    async def _send(
        self, dialect: Dialect, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> HttpResponse:
        self.context.client.keep_warm(self.base_url, WARM_SECONDS)
        return await super()._send(dialect, request, stream=stream)
