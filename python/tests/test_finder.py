"""The import hook must be invisible to everybody but us."""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys
import zipfile
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tachograph.hook.finder import Finder


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of modules that the hook was called for, in order."""
    seen: list[str] = []
    finder = Finder(frozenset({"watched", "package.watched"}), lambda module: seen.append(module.__name__))
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    yield seen
    for name in ("watched", "package.watched", "package", "other"):
        sys.modules.pop(name, None)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "watched.py").write_text("value = 1\n")
    (tmp_path / "other.py").write_text("value = 2\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "watched.py").write_text("value = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return tmp_path


@pytest.mark.usefixtures("place")
def test_only_watched_modules_call_back_each_once(imported: list[str]) -> None:
    for name in ("watched", "other", "package.watched", "watched"):
        importlib.import_module(name)
    assert imported == ["watched", "package.watched"]


@pytest.mark.usefixtures("imported", "place")
def test_the_module_sees_its_own_loader() -> None:
    module = importlib.import_module("watched")
    assert type(module.__loader__) is SourceFileLoader
    assert module.__spec__ is not None
    assert module.__spec__.loader is module.__loader__


def test_a_reloaded_module_calls_back_again(imported: list[str], place: Path) -> None:
    module = importlib.import_module("watched")
    (place / "watched.py").write_text("value = 'reloaded'\n")
    assert importlib.reload(module).value == "reloaded"
    assert imported == ["watched", "watched"]
    assert type(module.__loader__) is SourceFileLoader


def test_finding_a_spec_imports_nothing_and_the_loader_gives_its_source(imported: list[str], place: Path) -> None:
    spec = importlib.util.find_spec("watched")
    assert spec is not None
    assert spec.origin == str(place / "watched.py")
    assert spec.loader is not None
    assert spec.loader.get_source("watched") == "value = 1\n"  # type: ignore[attr-defined]
    assert imported == []
    assert importlib.util.find_spec("package.missing") is None


@pytest.mark.usefixtures("imported", "place")
def test_a_watched_module_runs_as_a_program() -> None:
    assert runpy.run_module("package.watched", run_name="__main__")["value"] == 3


def test_a_watched_module_loads_lazily(imported: list[str], place: Path) -> None:
    spec = importlib.util.find_spec("watched")
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules["watched"] = module
    spec.loader.exec_module(module)
    assert imported == []
    assert module.value == 1
    assert imported == ["watched"]


def test_a_module_in_a_zip_file_imports(imported: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "modules.zip", "w") as archive:
        archive.writestr("watched.py", "value = 'zipped'\n")
    monkeypatch.syspath_prepend(str(tmp_path / "modules.zip"))
    assert importlib.import_module("watched").value == "zipped"
    if sys.version_info >= (3, 10):
        assert imported == ["watched"]


def test_a_loader_without_exec_module_is_left_alone(imported: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        def load_module(self, name: str) -> ModuleType:
            raise AssertionError("not loaded here")

    loader: Any = Old()

    class OldFinder:
        def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
            return ModuleSpec(name, loader) if name == "watched" else None

    monkeypatch.setattr(sys, "meta_path", [sys.meta_path[0], OldFinder(), *sys.meta_path[1:]])
    spec = importlib.util.find_spec("watched")
    assert spec is not None
    assert spec.loader is loader


@pytest.mark.usefixtures("place")
def test_another_tool_that_asks_all_finders_again_finds_the_module_once(
    imported: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Asking:
        """As wrapt does it: search again, with itself switched off."""

        busy = False

        def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
            if name != "watched" or self.busy:
                return None
            asked.append(name)
            self.busy = True
            try:
                return importlib.util.find_spec(name)
            finally:
                self.busy = False

    for chain in ([sys.meta_path[0], Asking(), *sys.meta_path[1:]], [Asking(), *sys.meta_path]):
        monkeypatch.setattr(sys, "meta_path", chain)
        sys.modules.pop("watched", None)
        importlib.import_module("watched")
    assert asked == ["watched", "watched"]
    assert imported == ["watched", "watched"]


def test_a_module_that_fails_to_import_fails_as_without_us(imported: list[str], place: Path) -> None:
    (place / "watched.py").write_text("raise KeyError('theirs')\n")
    with pytest.raises(KeyError, match="theirs"):
        importlib.import_module("watched")
    assert imported == []
    assert "watched" not in sys.modules


@pytest.mark.usefixtures("place")
def test_our_fault_is_told_and_the_module_imports(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(module: ModuleType) -> None:
        raise ValueError("ours")

    monkeypatch.setattr(sys, "meta_path", [Finder(frozenset({"watched"}), fail), *sys.meta_path])
    assert importlib.import_module("watched").value == 1
    del sys.modules["watched"]
    assert "watched is not observed: ValueError: ours" in capfd.readouterr().err
