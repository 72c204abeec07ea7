"""The PEP 517 backend, as far as it is ours."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

BACKEND = Path(__file__).parent.parent / "build_backend" / "tachograph_build.py"
HOOKS = ("get_requires_for_build_editable", "get_requires_for_build_wheel")


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    maturin = ModuleType("maturin")
    for name in HOOKS:
        setattr(maturin, name, None)
    monkeypatch.setitem(sys.modules, "maturin", maturin)
    spec = importlib.util.spec_from_file_location("tachograph_build", BACKEND)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_program_is_the_executable_that_cargo_names(backend: ModuleType) -> None:
    messages = [
        {"reason": "compiler-artifact", "target": {"name": "build-script-build"}, "executable": None},
        {"reason": "compiler-artifact", "target": {"name": "tachograph"}, "executable": "/target/debug/tachograph"},
        {"reason": "build-finished", "success": True},
    ]
    assert backend._executable([json.dumps(message).encode() for message in messages]) == "/target/debug/tachograph"
    with pytest.raises(RuntimeError, match="cargo named no executable"):
        backend._executable([])


@pytest.mark.parametrize(
    ("cargo", "message"),
    [(None, "cargo is not on PATH, install Rust"), ("#!/bin/sh\nexit 101\n", "cargo failed, .* exit code 101")],
)
def test_a_build_that_cannot_be_ends_with_one_plain_line(
    backend: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cargo: str | None, message: str
) -> None:
    if cargo is not None:
        (tmp_path / "cargo").write_text(cargo)
        (tmp_path / "cargo").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=message):
        backend.build_wheel(str(tmp_path))


def test_an_sdist_is_refused_with_the_way_to_a_wheel(backend: ModuleType) -> None:
    with pytest.raises(backend.UnsupportedOperation, match=r"pip install \./python"):
        backend.build_sdist("/nowhere")
