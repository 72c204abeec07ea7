"""The one file that `-a install` adds, in environments of every kind, and what it does at Python's start."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tachograph.launch import INJECT
from tachograph.startup_file import FILE_NAME

PACKAGE = Path(INJECT).parent
HOOKED = "import sys; print([type(f).__name__ for f in sys.meta_path if f.__class__.__name__ == 'Finder'])"


class Environment:
    """A virtual environment with the package in it, as pip would have put it there, byte code included."""

    def __init__(self, place: Path, *flags: str) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", *flags, str(place)], check=True)
        self.place = place
        self.python = place / "bin" / "python"
        self.site = next(place.glob("lib/python3*/site-packages"))

    def add_package(self, site: Path | None = None) -> None:
        site = site or self.site
        shutil.copytree(PACKAGE, site / "tachograph", ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run([str(self.python), "-m", "compileall", "-q", str(site / "tachograph")], check=True)

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("TACHOGRAPH_", "OTEL_", "PYTHON"))}
        return subprocess.run(
            [str(self.python), *command],
            cwd=self.place,  # not where the tree under test lies
            env={**clean, **environ},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def bootstrap(self, action: str, **environ: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; from tachograph.bootstrap import bootstrap; sys.exit(bootstrap())"
        return self.run("-c", code, "-a", action, **environ)

    def hashes(self) -> dict[str, str]:
        files = (path for path in self.site.parent.rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    environment = Environment(tmp_path / "venv")
    environment.add_package()
    return environment


def test_uninstall_leaves_every_file_as_it_was_by_its_hash(environment: Environment) -> None:
    before = environment.hashes()
    environment.bootstrap("install")
    installed = environment.hashes()
    assert set(installed) - set(before) == {str(environment.site / FILE_NAME)}
    assert {name: installed[name] for name in before} == before
    environment.bootstrap("install")
    assert environment.hashes() == installed, "a second time changes nothing"
    assert environment.bootstrap("uninstall").returncode == 0
    assert environment.hashes() == before
    assert environment.bootstrap("uninstall").returncode == 0


@pytest.mark.parametrize("flag", ["-E", "-I", "-B"])
def test_in_a_launch_the_hooks_load_even_where_pythonpath_is_dropped(
    environment: Environment, tmp_path: Path, flag: str
) -> None:
    without = environment.run(flag, "-c", HOOKED, TACHOGRAPH_RUNTIME_DIR=str(tmp_path))
    assert without.stdout == "[]\n"
    environment.bootstrap("install")
    done = environment.run(flag, "-c", HOOKED, TACHOGRAPH_RUNTIME_DIR=str(tmp_path))
    assert (done.stdout, done.stderr) == ("['Finder']\n", "")
    off = environment.run(flag, "-c", HOOKED, TACHOGRAPH_RUNTIME_DIR=str(tmp_path), TACHOGRAPH_ENABLED="false")
    assert (off.stdout, off.stderr) == ("[]\n", "")


def test_beside_the_launchers_own_way_the_hooks_are_set_once(environment: Environment, tmp_path: Path) -> None:
    environment.bootstrap("install")
    for inject in (environment.site / "tachograph" / "inject", Path(INJECT)):
        done = environment.run("-c", HOOKED, TACHOGRAPH_RUNTIME_DIR=str(tmp_path), PYTHONPATH=str(inject))
        assert (done.stdout, done.stderr) == ("['Finder']\n", "")


def test_of_two_installations_the_launchers_is_the_one_that_observes(environment: Environment, tmp_path: Path) -> None:
    environment.bootstrap("install")
    code = "import tachograph.hook; print(tachograph.hook.__file__)"
    done = environment.run("-c", code, TACHOGRAPH_RUNTIME_DIR=str(tmp_path), PYTHONPATH=INJECT)
    assert done.stdout.strip() == str(PACKAGE / "hook" / "__init__.py")


def test_outside_a_launch_nothing_of_ours_is_imported(environment: Environment) -> None:
    environment.bootstrap("install")
    code = "import sys; print([name for name in sys.modules if 'tachograph' in name])"
    done = environment.run("-c", code)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_where_the_package_was_removed_the_file_that_is_left_does_nothing(
    environment: Environment, tmp_path: Path
) -> None:
    environment.bootstrap("install")
    shutil.rmtree(environment.site / "tachograph")
    done = environment.run("-c", HOOKED, TACHOGRAPH_RUNTIME_DIR=str(tmp_path))
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)


def test_a_package_that_fails_keeps_no_process_from_starting(environment: Environment, tmp_path: Path) -> None:
    environment.bootstrap("install")
    (environment.site / "tachograph" / "setting.py").write_text("raise ValueError('broken')\n")
    done = environment.run("-c", HOOKED, TACHOGRAPH_RUNTIME_DIR=str(tmp_path))
    assert (done.stdout, done.returncode) == ("[]\n", 0)
    assert "is not observed: ValueError: broken" in done.stderr


def test_a_user_installation_gets_the_file_in_the_users_own_directory(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", "--system-site-packages")
    user = {"PYTHONUSERBASE": str(tmp_path / "home")}
    site = Path(environment.run("-c", "import site; print(site.getusersitepackages())", **user).stdout.strip())
    environment.add_package(site)
    environment.bootstrap("install", **user)
    assert (site / FILE_NAME).is_file()
    assert not (environment.site / FILE_NAME).exists()
    done = environment.run("-c", HOOKED, TACHOGRAPH_RUNTIME_DIR=str(tmp_path), **user)
    assert (done.stdout, done.stderr) == ("['Finder']\n", "")


def test_where_it_cannot_be_written_install_says_so_and_that_the_launch_command_works(
    environment: Environment, tmp_path: Path
) -> None:
    # A package that lies outside any site directory, as in an image layer on PYTHONPATH.
    layer = tmp_path / "layer"
    shutil.move(str(environment.site / "tachograph"), str(layer / "tachograph"))
    said = environment.bootstrap("install", PYTHONPATH=str(layer)).stdout
    assert "auto-start:  not possible, the launch command works without it: the package is not installed" in said
    assert not (layer / FILE_NAME).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_site_packages_are_named(environment: Environment) -> None:
    environment.site.chmod(0o555)
    said = environment.bootstrap("install").stdout
    assert f"works without it: {environment.site} is read-only" in said
