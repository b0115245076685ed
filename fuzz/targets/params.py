"""Params of `ai/*`: what is wrong is refused by an `RpcError` that names a field; what is taken has
no half of a character in it, and every dialect makes a body of it or refuses it."""

import msgspec

from fuzz.material import Cursor, edited, text_of, words_of
from fuzz.requests import COMPLETION, OTHERS
from protocol.ai import CompletionParams, CountTokensParams
from protocol.methods import METHODS
from providers.dialects.anthropic_messages import AnthropicMessages
from providers.dialects.base import Dialect
from providers.dialects.bedrock_converse import BedrockConverse
from providers.dialects.bedrock_invoke import BedrockInvoke
from providers.dialects.gemini import Gemini
from providers.dialects.ollama import Ollama
from providers.dialects.openai_chat import OpenAiChat
from providers.dialects.openai_completions import OpenAiCompletions
from providers.dialects.openai_responses import OpenAiResponses
from providers.errors import ProviderError
from providers.types import ChatRequest, CompletionRequest
from sidecar.envelope import INVALID_PARAMS, PARSE_ERROR, RpcError, decode_params
from sidecar.from_wire import count_request, request
from sidecar.unknown_fields import UnknownFields

_names = words_of([COMPLETION, OTHERS])
WORDS = tuple(b'"%b"' % word.encode() for word in _names if len(word) < 20)
SEEDS = (
    b"\x80\0",
    b"\x81\1",
    b"\x80\1\0\x05\0\x02\0\x09\6\3\3\0\x12\0\4",
    b"\x82\0\x00",
    b"\0\0" + text_of(COMPLETION[0]),
    b"\1\1" + text_of(COMPLETION[1]),
    *(b"%c\0%b" % (i + 2, text_of(each)) for i, each in enumerate(OTHERS.values())),
)
_methods = ["ai/complete", "ai/stream", *OTHERS]
_decoders = {name: msgspec.json.Decoder(entry.params) for name, entry in METHODS.items()}
_unknown = UnknownFields()
INVOKE = (
    *("anthropic.claude-3-haiku-v1:0", "anthropic.claude-v2", "amazon.nova-lite-v1:0"),
    *("amazon.titan-text-express-v1", "meta.llama3-8b-instruct-v1:0", "mistral.mistral-7b-v0:2"),
    *("mistral.mistral-large-2402-v1:0", "cohere.command-text-v14", "cohere.command-r-v1:0"),
    *("ai21.j2-ultra-v1", "ai21.jamba-1-5-mini-v1:0", "openai.gpt-oss-20b-1:0", "nobody.knows"),
)
DIALECTS: tuple[Dialect, ...] = (
    *(OpenAiChat(), OpenAiResponses(), OpenAiCompletions(), AnthropicMessages(), Gemini()),
    *(BedrockConverse(), Ollama(), *map(BedrockInvoke, INVOKE)),
)


def check(data: bytes) -> None:
    method, which, body = read(data)
    try:
        raw = msgspec.Raw(body)
        params = decode_params(_decoders[method], raw)
        _unknown.note(method, raw)
    except RpcError as error:
        named(error)
        return
    plain(params)
    try:
        if isinstance(params, CountTokensParams):
            plain(count_request(params)[0])
        elif isinstance(params, CompletionParams):
            bodies(request(params)[0], which)
    except RpcError as error:
        named(error)


def read(data: bytes) -> tuple[str, int, bytes]:
    """Return the method, a number for further choices, and the params."""
    cursor = Cursor(data)
    kind, which = cursor.byte(), cursor.byte()
    method = _methods[kind % len(_methods)]
    if kind < 128:
        return method, which, cursor.rest()
    seed = COMPLETION[which % 2] if method in _methods[:2] else OTHERS[method]
    (value, *_) = edited([seed], cursor, _names) or [None]
    return method, which, text_of(value, which // 2)


def explicit(data: bytes) -> bytes:
    """Return an input that is the same case, however the seeds will change."""
    method, which, body = read(data)
    return b"%c%c%b" % (_methods.index(method), which, body)


def named(error: RpcError) -> None:
    assert error.code in (INVALID_PARAMS, PARSE_ERROR)
    assert len(error.message) < 10_000
    if error.code == INVALID_PARAMS:
        field, _, expected = error.message.partition(": ")
        assert field and expected, error.message


def plain(value: object) -> None:
    """What is inside can be written as UTF-8."""
    msgspec.json.encode(value)


def bodies(wanted: ChatRequest | CompletionRequest, which: int) -> None:
    for dialect in DIALECTS:
        try:
            body = dialect.body(wanted, stream=bool(which & 1))
            path = dialect.path(wanted, stream=bool(which & 1))
        except ProviderError as error:
            assert error.message
            continue
        msgspec.json.encode(body)
        assert path.startswith("/") and path.isascii() and path.isprintable() and " " not in path
