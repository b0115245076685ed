"""What is learned, and what looks like a key, is hidden; words are not."""

import pytest

from providers.auth.redact import MASK, Redactor


@pytest.mark.parametrize(
    "secret",
    [
        "learned-canary-1",
        "k3y-42",
        "with/slash+and=1",
        "ONLYCAPITALS",
        "averylongwordindeed",
    ],
)
def test_what_was_learned_is_hidden_everywhere(secret: str):
    Redactor().learn(f" {secret}\n")
    masked = Redactor().mask(f"x{secret}y and {secret}")
    assert masked == f"x{MASK}y and {MASK}"


def test_it_is_hidden_in_an_address_too():
    Redactor().learn("slash/and+plus-1")
    assert "plus-1" not in Redactor().mask("https://x.example/?k=slash%2Fand%2Bplus-1")


def test_the_value_of_an_authorization_header():
    Redactor().learn("Bearer inner-canary-77")
    assert "inner-canary-77" not in Redactor().mask("token inner-canary-77 was refused")


def test_one_secret_within_another():
    for secret in ("overlap-1", "overlap-1-longer"):
        Redactor().learn(secret)
    assert Redactor().mask("overlap-1-longer") == MASK


@pytest.mark.parametrize("word", ["", "x", "none", "ollama", "lm-studio", "not-needed", "test_key"])
def test_a_word_given_as_key_does_not_garble_messages(word: str):
    Redactor().learn(word)
    assert Redactor().mask(f"the {word} server answered") == f"the {word} server answered"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer abcdefgh.123", f"Authorization: Bearer {MASK}"),
        ("key sk-proj-abc123def456ghi was", f"key {MASK} was"),
        ("sk-ant-api03-abcdefghijk", MASK),
        ("AIzaSyA1234567890abcdefghijk", MASK),
        ("gsk_abcdefghij1234567890", MASK),
        ("https://h/v1?key=abc&x=1", f"https://h/v1?key={MASK}&x=1"),
        ("/v1?x=1&api_key=abc", f"/v1?x=1&api_key={MASK}"),
        ("http://user:pass@proxy:1/x", f"http://{MASK}@proxy:1/x"),
        ("AKIAIOSFODNN7EXAMPLE", MASK),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0abc.sig", MASK),
    ],
)
def test_what_looks_like_a_key_is_hidden(text: str, masked: str):
    assert Redactor().mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "the model gpt-5-2025-08-07 is overloaded",
        "Incorrect API key provided",
        "task-management-system-2024 in sk-learn",
        "Bearer token missing",
        "https://api.example.com/v1/chat?model=x",
        "mail someone@example.com",
        "claude-sonnet-4-5-20250929",
    ],
)
def test_what_is_no_key_stays(text: str):
    assert Redactor().mask(text) == text


def test_no_repr_shows_one():
    Redactor().learn("repr-canary-1")
    assert "canary" not in repr(Redactor())
