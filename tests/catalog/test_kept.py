"""The services' own lists of models: kept on disk, for every process, and never in the way."""

import logging
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from providers.base import Model, ModelFeatures
from providers.catalog import Catalog, KeptLists, kept
from providers.catalog.kept import LOOK_AGAIN, lists_folder, locate_in
from providers.settings import ModelSettings, ProviderSettings

NOON = 1_800_000_000.0
WHERE = {"openai": ProviderSettings(base_url="https://one.example/v1", api_key="k-secret")}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "models"


@pytest.fixture
def opened(folder: Path) -> Callable[..., tuple[Catalog, Clock]]:
    """Make the catalog of one more process."""

    def make(
        providers: dict[str, ProviderSettings] = WHERE, overrides: Any = None
    ) -> tuple[Catalog, Clock]:
        clock = Clock()
        lists = KeptLists(lambda: folder, providers, clock=clock, wall=lambda: NOON)
        return Catalog(overrides or {}, lists), clock

    return make


def live(id: str, window: int | None = None, **more: Any) -> Model:
    return Model(id, "openai", window, source="live", **more)


def shown(catalog: Catalog, id: str) -> Model | None:
    found = [model for model in catalog.models("openai", "openai") if model.id == id]
    assert len(found) <= 1
    return found[0] if found else None


def test_another_process_knows_what_one_was_told(opened: Any) -> None:
    here, there = opened()[0], opened()[0]
    assert not here.has("openai", "gpt-99", "openai")
    here.keep("openai", "openai", [live("gpt-99", 5000, features=ModelFeatures(tools=True))])
    for catalog in (here, there, opened()[0]):
        model = shown(catalog, "gpt-99")
        assert model == live("gpt-99", 5000, features=ModelFeatures(tools=True), asked_at=NOON)
        assert catalog.has("openai", "gpt-99", "openai")


def test_what_the_service_lists_comes_first_and_the_catalog_stays(opened: Any) -> None:
    catalog = opened()[0]
    before = [model.id for model in catalog.models("openai", "openai") if not model.retired]
    catalog.keep("openai", "openai", [live("gpt-99"), live(before[3])])
    after = [model.id for model in catalog.models("openai", "openai") if not model.retired]
    assert after[:2] == ["gpt-99", before[3]]
    assert set(after) == {"gpt-99", *before}


def test_the_services_window_beats_the_table_and_the_users_beats_both(opened: Any) -> None:
    known = shown(opened()[0], "gpt-4o")
    assert known is not None and known.context_window != 777 and known.price is not None
    own = {"openai/gpt-5": ModelSettings(context_window=888)}
    catalog = opened(overrides=own)[0]
    catalog.keep("openai", "openai", [live("gpt-4o", 777), live("gpt-5", 777)])
    said, mine = shown(catalog, "gpt-4o"), shown(catalog, "gpt-5")
    assert said is not None and mine is not None
    assert (said.context_window, said.source, said.price) == (777, "live", known.price)
    assert (mine.context_window, mine.source) == (888, "live")


def test_how_a_request_is_made_does_not_change_by_a_list(opened: Any) -> None:
    catalog = opened()[0]
    table = catalog.find("openai", "gpt-4o")
    catalog.keep("openai", "openai", [live("gpt-99", 5), live("gpt-4o", 5)])
    assert catalog.find("openai", "gpt-99") is None
    assert catalog.find("openai", "gpt-4o") == table


def test_a_running_process_sees_a_later_list(opened: Any) -> None:
    running, clock = opened()
    assert shown(running, "gpt-99") is None
    opened()[0].keep("openai", "openai", [live("gpt-99")])
    assert shown(running, "gpt-99") is None  # looked a moment ago
    clock.now += LOOK_AGAIN
    assert shown(running, "gpt-99") is not None
    opened()[0].keep("openai", "openai", [live("gpt-100")])
    clock.now += LOOK_AGAIN
    assert shown(running, "gpt-99") is None and shown(running, "gpt-100") is not None


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"openai": ProviderSettings(base_url="https://two.example/v1")},
        {"openai": ProviderSettings(base_url="https://one.example/v1", organization="other")},
        {},
    ],
)
def test_a_list_is_of_one_place(opened: Any, elsewhere: dict[str, ProviderSettings]) -> None:
    opened()[0].keep("openai", "openai", [live("gpt-99")])
    assert shown(opened(elsewhere)[0], "gpt-99") is None


def test_who_moves_elsewhere_leaves_the_list_behind_and_finds_it_again(folder: Path) -> None:
    lists = KeptLists(lambda: folder, WHERE, clock=Clock(), wall=lambda: NOON)
    catalog = Catalog({}, lists)
    catalog.keep("openai", "openai", [live("gpt-99")])
    lists.configure({"openai": ProviderSettings(base_url="https://two.example/v1")})
    assert shown(catalog, "gpt-99") is None
    lists.configure(WHERE)
    assert shown(catalog, "gpt-99") is not None


def test_another_key_or_default_model_is_the_same_place(opened: Any) -> None:
    opened()[0].keep("openai", "openai", [live("gpt-99")])
    settings = ProviderSettings(base_url="https://one.example/v1", api_key="k2", model="gpt-5")
    assert shown(opened({"openai": settings})[0], "gpt-99") is not None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", True),
        (b'{"format":1,"askedAt":1,"models":[{"id":"gpt-9', True),
        (b'{"format":1,"askedAt":1,"models":[{"id":7}]}', True),
        (b"\xff\xfe\x00", True),
        (b"[]", True),
        (b'{"format":1,"askedAt":1,"models":[],"x":' + b"[" * 50_000, True),
        (b'{"format":2,"all":"else"}', False),  # of a later version, which may share the folder
    ],
)
def test_a_damaged_file_is_passed_over_and_replaced(
    opened: Any, folder: Path, data: bytes, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    opened()[0].keep("openai", "openai", [live("gpt-99")])
    (file,) = folder.iterdir()
    file.write_bytes(data)
    catalog = opened()[0]
    with caplog.at_level(logging.WARNING):
        assert shown(catalog, "gpt-99") is None and shown(catalog, "gpt-4o") is not None
        catalog.models("openai", "openai")
    assert len(caplog.records) == int(told)
    catalog.keep("openai", "openai", [live("gpt-99")])
    assert shown(opened()[0], "gpt-99") is not None


def test_a_folder_that_cannot_be_written(
    opened: Any, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.parent.mkdir()
    folder.write_text("a file is in the way")
    catalog = opened()[0]
    catalog.keep("openai", "openai", [live("gpt-99")])
    assert "cannot be kept" in caplog.text
    assert shown(catalog, "gpt-99") is not None  # for this process


def test_a_user_without_a_home(caplog: pytest.LogCaptureFixture) -> None:
    def nowhere() -> Path:
        raise RuntimeError("no home")

    catalog = Catalog({}, KeptLists(nowhere, WHERE, clock=Clock(), wall=lambda: NOON))
    assert not catalog.has("openai", "gpt-99", "openai")
    catalog.keep("openai", "openai", [live("gpt-99")])
    assert "cannot be kept" in caplog.text
    assert catalog.has("openai", "gpt-99", "openai")  # for this process


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_in_the_place_of_a_list_is_not_waited_for(opened: Any, folder: Path) -> None:
    opened()[0].keep("openai", "openai", [live("gpt-99")])
    (file,) = folder.iterdir()
    file.unlink()
    os.mkfifo(file)
    assert shown(opened()[0], "gpt-99") is None


def test_a_list_that_would_not_be_read_again_is_not_written(
    opened: Any, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_LARGEST", 100)
    opened()[0].keep("openai", "openai", [live("m" * 200)])
    assert "cannot be kept" in caplog.text and not folder.exists()


def test_a_process_that_refreshes_nothing_does_not_load_what_writes() -> None:
    code = "import providers.manager, sys; print({'tempfile', 'platformdirs'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "set()"


def test_nothing_of_a_key_is_in_the_file_and_no_half_of_one_is_left(
    opened: Any, folder: Path
) -> None:
    opened()[0].keep("openai", "openai", [live("gpt-99")])
    (file,) = folder.iterdir()
    assert b"k-secret" not in file.read_bytes() and file.name.startswith("openai-")
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_name_that_is_no_file_name(opened: Any, folder: Path) -> None:
    table = {"../../x": ProviderSettings(kind="openai")}
    opened(table)[0].keep("openai", "../../x", [live("gpt-99")])
    assert [file.parent for file in folder.parent.rglob("*.json")] == [folder]


def test_only_what_a_service_said_is_kept(opened: Any, folder: Path) -> None:
    opened()[0].keep("openai", "openai", [Model("gpt-5", "openai")])
    assert not folder.exists()


def test_where(tmp_path: Path) -> None:
    assert locate_in({"AI_SIDECAR_MODEL_LISTS": "off"}) is None
    assert lists_folder({"AI_SIDECAR_MODEL_LISTS": str(tmp_path)}) == tmp_path
    assert lists_folder({}).parts[-2:] == ("ai-sidecar", "models") or sys.platform == "win32"
