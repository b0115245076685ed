"""What programs that are started for a key may see: their own surroundings, no provider's key."""

from pathlib import Path

import pytest

from providers.auth.cloud import AwsCredentials, GoogleCredentials
from providers.auth.env import PROVIDER_ENV, without_keys
from providers.auth.keys import KeyResolver
from providers.settings import HttpSettings, KeySource
from tests.keys.marks import mark

OPENAI, BEDROCK = mark("openai", "env"), mark("bedrock", "env")
SURROUNDINGS = {
    "PATH": "/usr/bin:/bin",
    "OPENAI_API_KEY": OPENAI,
    "AWS_BEARER_TOKEN_BEDROCK": BEDROCK,
    "AZURE_OPENAI_AD_TOKEN": mark("azure", "env"),
    "GITHUB_TOKEN": "for gh",
    "AWS_SECRET_ACCESS_KEY": "for aws",
}


def test_every_variable_that_configures_a_provider_by_itself_is_kept_back() -> None:
    everything = {name: "x" for names in PROVIDER_ENV.values() for name in names.keys}
    left = set(without_keys(everything))
    kept = {n for names in PROVIDER_ENV.values() if names.configured_by == () for n in names.keys}
    assert left <= kept and "OPENAI_API_KEY" not in left and "GITHUB_TOKEN" in left


@pytest.mark.asyncio
async def test_a_key_command(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    source = KeySource(command=["/bin/sh", "-c", f"env >{seen}; echo the-key-itself"])
    key = KeyResolver(source, environ=SURROUNDINGS, provider="up")
    assert await key.get() == "the-key-itself"
    text = seen.read_text()
    assert "for gh" in text and "for aws" in text
    assert not [
        v
        for n, v in SURROUNDINGS.items()
        if n.endswith(("KEY", "BEDROCK")) and v in text and not v.startswith("for")
    ]


def test_the_child_of_a_cloud() -> None:
    made = {"environ": SURROUNDINGS, "http": HttpSettings(), "provider": "p"}
    aws = AwsCredentials(profile=None, **made)._environ  # type: ignore[arg-type]
    google = GoogleCredentials(**made)._environ  # type: ignore[arg-type]
    assert OPENAI not in aws.values() and OPENAI not in google.values()
    assert BEDROCK in aws.values() and BEDROCK not in google.values()


def test_a_literal_is_hidden_from_the_beginning() -> None:
    from providers.auth.redact import Redactor

    literal = mark("literal", "never used")
    KeyResolver(literal, environ={}, provider="up")
    assert literal not in Redactor().mask(f"x{literal}x")
