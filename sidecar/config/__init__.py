"""Configuration: layers, files and what is wrong with them. Knows no editor and no provider."""

from sidecar.config.model import Config, InlineSettings
from sidecar.config.problems import ConfigProblem
from sidecar.config.store import ConfigStore

__all__ = ["Config", "ConfigProblem", "ConfigStore", "InlineSettings"]
