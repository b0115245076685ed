"""What a model is asked: to fill in the middle, a raw prompt made by a template, or a conversation.

Pure. Which of them is the configuration's choice, or in `auto` what the model's features say; the
model's name decides nothing.
"""

import re

from providers.types import ChatRequest, CompletionRequest, Message, Reasoning, Text
from sidecar.inline.comments import comment
from sidecar.inline.context import Context

CURSOR = "<|cursor|>"

TEMPERATURE = 0.0
"""Of filling in: the likeliest text is wanted. Conversations go without: some refuse it."""

_MOST_STOPS = 4  # what OpenAI's format allows

_PLACEHOLDER = re.compile(r"\{(prefix|suffix|path|language)\}")

_SYSTEM = f"""\
You complete code and text while it is being typed. You are given a file with {CURSOR} where the \
cursor is. Answer with the text that belongs exactly there, and nothing else: no explanation, no \
code fence, nothing of what already stands before or behind the cursor. Keep to the file's \
language, indentation and style. Write as little as makes sense: the rest of the line, or a short \
block. If nothing is missing, answer with nothing."""


def fim_request(context: Context, max_tokens: int) -> CompletionRequest:
    """Return the request for a service that takes prefix and suffix."""
    return CompletionRequest(
        prompt=_headed(context),
        suffix=context.suffix,
        max_tokens=max_tokens,
        temperature=TEMPERATURE,
        stop=["\n"] if is_within_line(context) else None,
    )


def template_request(context: Context, template: str, max_tokens: int) -> CompletionRequest:
    """Return the request for a model that is given prefix and suffix in one raw prompt.

    The template's own words (`<|fim_suffix|>` and the like) end the answer where the model repeats
    them.
    """
    values = {
        "prefix": context.prefix,
        "suffix": context.suffix,
        "path": context.path,
        "language": context.language,
    }
    stops = template_words(template)
    if is_within_line(context):
        stops = ["\n", *stops]
    return CompletionRequest(
        prompt=_PLACEHOLDER.sub(lambda found: values[found[1]], template),
        raw=True,
        max_tokens=max_tokens,
        temperature=TEMPERATURE,
        stop=stops[:_MOST_STOPS] or None,
    )


def continued_request(context: Context, max_tokens: int) -> CompletionRequest:
    """Return the request for a model that can only go on; what follows the cursor is the filters'.

    The prompt does not end with white space: a small model's next word begins with it. An empty
    line ends the answer, as what comes after it is seldom code.
    """
    return CompletionRequest(
        prompt=_headed(context).rstrip(" \t"),
        raw=True,
        max_tokens=max_tokens,
        temperature=TEMPERATURE,
        stop=["\n"] if is_within_line(context) else ["\n\n", "```"],
    )


def template_words(template: str) -> list[str]:
    """Return what a template puts between its placeholders, each once."""
    pieces = [piece.strip() for piece in _PLACEHOLDER.sub("\0", template).split("\0")]
    return list(dict.fromkeys(piece for piece in pieces if piece))


def chat_request(context: Context, max_tokens: int, *, reasons: bool) -> ChatRequest:
    """Return the request for a model that only converses. `reasons`: it would think first."""
    about = [f"Language: {context.language}"] if context.language else []
    if context.path:
        about.append(f"File: {context.path}")
    text = "\n".join([*about, "", f"{context.prefix}{CURSOR}{context.suffix}"]).lstrip("\n")
    return ChatRequest(
        messages=[Message("user", [Text(text)])],
        system=_SYSTEM,
        max_tokens=max_tokens,
        reasoning=Reasoning("none", 0) if reasons else None,
    )


def is_within_line(context: Context) -> bool:
    """Say whether more than closing brackets and the like follows on the cursor's line."""
    return bool(context.line_after.strip(" \t\r)]}>\"'`;,:"))


def _headed(context: Context) -> str:
    """Return the prefix under a comment with the file's path, which also tells the language."""
    head = comment(context.language, context.path) if context.path else ""
    return f"{head}\n{context.prefix}" if head else context.prefix
