"""An estimate of tokens from text, for where nobody counts: cut answers, simple services."""

from providers.types import ExecutedCode, Image, Message, ReasoningState, Text

BYTES_PER_TOKEN = 4
"""Of English text and code, for the tokenizers in use; more bytes of other scripts make a token
about as large, since their characters take more bytes."""

TOKENS_PER_MESSAGE = 4
"""What a turn costs beside its text: role and separators."""

TOKENS_PER_IMAGE = 1000
"""About what the large services charge for an image of one megapixel."""


def tokens_of_text(text: str) -> int:
    """Return about how many tokens `text` is."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def estimate_tokens(messages: list[Message]) -> int:
    """Return about how many tokens a conversation is."""
    return sum(TOKENS_PER_MESSAGE + sum(map(_of_part, m.content)) + _of_calls(m) for m in messages)


def _of_part(part: Text | Image | ReasoningState | ExecutedCode) -> int:
    match part:
        case Text() | ReasoningState():
            return tokens_of_text(part.text)
        case Image():
            return TOKENS_PER_IMAGE
        case ExecutedCode():
            return tokens_of_text(part.code) + tokens_of_text(part.output or "")


def _of_calls(message: Message) -> int:
    return sum(tokens_of_text(call.name + call.arguments) for call in message.tool_calls)
