"""`ChatVendor`: what the services have in common that speak Chat Completions.

A vendor gives a profile (`profile_for`), and further dialects if it has any. What a service refuses
is learned from its 400 and left out from then on: for the model, or where it is the endpoint's own
way, for all of them.
"""

from collections.abc import Callable
from typing import ClassVar
from weakref import WeakKeyDictionary

from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.dialects.openai_completions import CompletionsProfile, OpenAiCompletions
from providers.errors import InvalidRequest, ResponseError
from providers.http.client import HttpResponse
from providers.settings import ProviderSettings
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.base import HttpProvider
from providers.vendors.context import ProviderContext
from providers.vendors.learning import Lesson, lesson_of

Change = Callable[[ChatProfile], ChatProfile]

_MODELS_KEPT = 64

NO_FIM = CompletionsProfile(suffix=False)


class ChatVendor(HttpProvider):
    """A service with Bearer keys and Chat Completions."""

    profile: ClassVar[ChatProfile] = ChatProfile(parallel_tool_calls=True, think_tags=True)
    fim: ClassVar[CompletionsProfile] = NO_FIM
    raw_prompts = True

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        super().__init__(name, settings, context)
        self._changes: dict[tuple[str | None, str], Change] = {}
        self._lessons: WeakKeyDictionary[ResponseError, tuple[str, Lesson]] = WeakKeyDictionary()
        self._dialects: dict[str, OpenAiChat] = {}

    def auth_headers(self, key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {key}"} if key else {}

    def profile_for(self, model: str) -> ChatProfile:
        """Return what `model` wants, before anything was learned."""
        return self.profile

    def completions(self) -> OpenAiCompletions:
        """Return the dialect of prompts, and of filling in the middle."""
        return OpenAiCompletions(self.fim)

    def chat_dialect(self, profile: ChatProfile) -> OpenAiChat:
        """Return the dialect of conversations."""
        return OpenAiChat(profile)

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        if isinstance(request, CompletionRequest) or self.settings.api == "completions":
            return self.completions()
        return self.chat_for(request.model)

    def chat_for(self, model: str) -> OpenAiChat:
        """Return the dialect of conversations with `model`, after all that was learned."""
        dialect = self._dialects.get(model)
        if dialect is None:
            profile = self.profile_for(model)
            for (taught_by, _), change in self._changes.items():
                if taught_by in (None, model):
                    profile = change(profile)
            if len(self._dialects) >= _MODELS_KEPT:
                self._dialects.clear()
            dialect = self._dialects[model] = self.chat_dialect(profile)
        return dialect

    async def recover(self, error: ResponseError) -> bool:
        """Learn from a 400 which parameter the service does not take; then it is worth a try."""
        taught = self._lessons.pop(error, None)
        if taught is None:
            return await super().recover(error)
        model, lesson = taught
        self._changes[None if lesson.whole_endpoint else model, lesson.subject] = lesson.change
        self._dialects.clear()
        return True

    async def _send(
        self, dialect: Dialect, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> HttpResponse:
        """Keep what an error teaches about the very request that it answers.

        Of several requests in flight each learns for itself: that another has learned the same
        meanwhile does not make this one's failure final.
        """
        try:
            return await super()._send(dialect, request, stream=stream)
        except InvalidRequest as error:
            if isinstance(dialect, OpenAiChat):
                lesson = lesson_of(error.message, dialect.profile)
                if lesson is not None:
                    self._lessons[error] = (request.model, lesson)
            raise
