"""No repr shows a secret: a debugger's, a log's %r, an exception's, a test's failing line."""

import pytest

from providers.auth.cloud import AwsCredentials, AwsGrant, GoogleGrant
from providers.auth.helper import Answer
from providers.auth.keys import KeyResolver
from providers.auth.pool import KeyPool
from providers.auth.redact import Redactor
from providers.http.client import HttpClient
from providers.http.response import HttpRequest
from providers.settings import (
    HttpSettings,
    KeySource,
    ProvidersConfig,
    ProviderSettings,
    TimeoutSettings,
)
from providers.vendors.local_child import Order
from sidecar.config import ConfigStore
from tests.keys.marks import found_in, mark

SECRET = mark("repr", "key")
ENVIRON = {"OPENAI_API_KEY": SECRET, "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": SECRET}
HTTP = HttpSettings(proxy=f"http://me:{SECRET}@proxy:1")
SETTINGS = ProviderSettings(api_key=SECRET, headers={"X": SECRET}, auth_token=SECRET)


def store() -> ConfigStore:
    made = ConfigStore({"AI_SIDECAR_CONFIG": "/nowhere"})
    made.set_initialization_options({"providers": {"openai": {"apiKey": SECRET}}})
    return made


OBJECTS = {
    "settings": lambda: SETTINGS,
    "http settings": lambda: HTTP,
    "config": lambda: ProvidersConfig(providers={"openai": SETTINGS}, http=HTTP),
    "store": store,
    "store's config": lambda: store().config,
    "resolver": lambda: KeyResolver(SECRET, environ=ENVIRON, provider="p"),
    "pool": lambda: KeyPool(
        [SECRET, KeySource(env="X")], environ=ENVIRON, env_names=(), provider="p", clock=float
    ),
    "aws": lambda: AwsCredentials(profile=None, environ=ENVIRON, http=HTTP, provider="p"),
    "aws grant": lambda: AwsGrant("a", SECRET, SECRET),
    "google grant": lambda: GoogleGrant(SECRET),
    "child's answer": lambda: Answer(access_key="a", secret_key=SECRET, token=SECRET),
    "local order": lambda: Order(model="m", alias="a", key=SECRET, threads=1),
    "request": lambda: HttpRequest("POST", f"https://h/?key={SECRET}", {"authorization": SECRET}),
    "client": lambda: HttpClient(HTTP, TimeoutSettings(), environ=ENVIRON),
    "redactor": Redactor,
}


@pytest.mark.parametrize("name", OBJECTS)
def test_no_repr_shows_a_secret(name: str) -> None:
    made = OBJECTS[name]()
    assert found_in(f"{made!r} {made}".encode(), [SECRET]) == []
