"""Perplexity: Chat Completions that search the web; sources come as citations.

https://docs.perplexity.ai/api-reference/chat-completions-post
"""

from providers.base import Model
from providers.vendors.chat_vendor import ChatVendor


class Perplexity(ChatVendor):
    """The bare host, without a version."""

    kind = "perplexity"
    default_base_url = "https://api.perplexity.ai"
    default_model = "sonar"

    async def probe(self) -> None:
        # There is no list of models; that of one's own asynchronous requests costs nothing either.
        await self.get_json("/async/chat/completions")

    async def fetch_models(self) -> list[Model]:
        return self.context.catalog.models(self.kind, self.name)
