"""What happens in a process of a launch that has our directory in front of its PYTHONPATH."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ENGINE

from tachograph.launch import INJECT


def run(code: str, *path: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a fresh interpreter, injected as the supervisor does it."""
    clean = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("TACHOGRAPH_", "OTEL_", "PYTHON", "VLLM_"))
    }
    clean["PYTHONPATH"] = os.pathsep.join([INJECT, *map(str, path)])
    return subprocess.run(
        [sys.executable, "-c", code], env={**clean, **environ}, capture_output=True, text=True, timeout=60
    )


HOOKED = "import sys; print([type(f).__name__ for f in sys.meta_path if f.__class__.__name__ == 'Finder'])"
MODULES = "import sys; print(sorted(name for name in sys.modules if name.startswith('tachograph')))"


def test_outside_a_launch_nothing_is_installed() -> None:
    done = run(HOOKED + ";" + MODULES)
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n[]\n", "", 0)


@pytest.mark.parametrize(
    ("environ", "finders"),
    [({}, 1), ({"TACHOGRAPH_ENABLED": "false"}, 0), ({"OTEL_SDK_DISABLED": "true"}, 0)],
)
def test_in_a_launch_the_switches_decide(tmp_path: Path, environ: dict[str, str], finders: int) -> None:
    done = run(HOOKED, TACHOGRAPH_RUNTIME_DIR=str(tmp_path), **environ)
    assert (done.stdout, done.stderr) == (f"{['Finder'] * finders}\n", "")


def test_a_process_that_imports_no_engine_loads_next_to_nothing_and_opens_no_ring(tmp_path: Path) -> None:
    done = run(MODULES + "; print('dataclasses' in sys.modules)", TACHOGRAPH_RUNTIME_DIR=str(tmp_path))
    loaded = ["tachograph", "tachograph.hook", "tachograph.hook.finder", "tachograph.hook.say", "tachograph.setting"]
    assert (done.stdout, done.stderr) == (f"{loaded}\nFalse\n", "")
    assert list(tmp_path.iterdir()) == []


def test_our_neighbours_in_site_packages_do_not_become_importable(tmp_path: Path) -> None:
    site_packages = os.path.dirname(os.path.dirname(INJECT))
    done = run(f"import sys; print({site_packages!r} in sys.path)", TACHOGRAPH_RUNTIME_DIR=str(tmp_path))
    assert done.stdout == "False\n"


def test_the_sitecustomize_that_ours_hides_runs_and_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('theirs', __name__)\nvalue = 1\n")
    done = run("import sitecustomize; print(sitecustomize.value); " + HOOKED, tmp_path, TACHOGRAPH_RUNTIME_DIR="/x")
    assert (done.stdout, done.stderr) == ("theirs sitecustomize\n1\n['Finder']\n", "")


def test_our_directory_twice_on_the_path_runs_the_next_one_once(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('theirs')\n")
    done = run(HOOKED, INJECT, tmp_path, INJECT, TACHOGRAPH_RUNTIME_DIR="/x")
    assert (done.stdout, done.stderr) == ("theirs\n['Finder']\n", "")


def test_two_installations_of_ours_do_not_call_each_other_for_ever(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_bytes(Path(INJECT, "sitecustomize.py").read_bytes())
    done = run(HOOKED, other, TACHOGRAPH_RUNTIME_DIR="/x")
    assert done.stdout == "['Finder']\n"


def test_a_failing_sitecustomize_is_reported_by_python_and_the_hooks_are_set(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise ValueError('theirs')\n")
    done = run(HOOKED, tmp_path, TACHOGRAPH_RUNTIME_DIR="/x")
    assert (done.stdout, done.returncode) == ("['Finder']\n", 0)
    assert "ValueError: theirs" in done.stderr


def test_children_that_are_spawned_are_hooked_too(tmp_path: Path) -> None:
    code = """
import multiprocessing, sys
def names():
    print([type(f).__name__ for f in sys.meta_path if type(f).__name__ == "Finder"], flush=True)
"""
    (tmp_path / "child.py").write_text(code)
    main = """
import multiprocessing, child
context = multiprocessing.get_context("spawn")
process = context.Process(target=child.names); process.start(); process.join()
"""
    done = run(main, tmp_path, TACHOGRAPH_RUNTIME_DIR="/x")
    assert (done.stdout, done.stderr) == ("['Finder']\n", "")


def test_modules_imported_before_us_are_hooked_at_once(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import vllm, fastapi.applications\n")
    code = "from fastapi.applications import FastAPI; print(hasattr(FastAPI.build_middleware_stack, '__wrapped__'))"
    done = run(code, tmp_path, ENGINE, TACHOGRAPH_RUNTIME_DIR=str(tmp_path / "run"))
    assert (done.stdout, done.stderr) == ("True\n", "")
