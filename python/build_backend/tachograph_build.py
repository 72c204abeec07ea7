"""PEP 517 backend: maturin's, with the program `tachograph` built first and put into the wheel beside the extension.

Both come from one cargo target directory and one profile (`dev`, see the workspace's Cargo.toml), so that the wheel
holds what the tests tested. There is no sdist: the crates lie outside this directory.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import maturin
from maturin import get_requires_for_build_editable, get_requires_for_build_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "UnsupportedOperation",
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

HERE = Path(__file__).resolve().parent.parent
PROGRAM = HERE / "tachograph.data" / "scripts" / "tachograph"
"""Where maturin looks for programs (`tool.maturin.data` in pyproject.toml)."""


class UnsupportedOperation(Exception):  # noqa: N818 - named by PEP 517
    """This backend makes no sdist."""


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Mapping[str, Any] | None = None) -> str:
    """The wheel's metadata, without building anything."""
    # maturin refuses to start without the directory that `tool.maturin.data` names.
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    name: str = maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings)
    return name


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_wheel(
    wheel_directory: str, config_settings: Mapping[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """The wheel: hooks, extension, program and launch commands."""
    _build_program()
    name: str = maturin.build_wheel(wheel_directory, config_settings, metadata_directory)
    _print_size(Path(wheel_directory) / name)
    return name


def build_editable(
    wheel_directory: str, config_settings: Mapping[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """The wheel whose Python files stay in this tree."""
    _build_program()
    name: str = maturin.build_editable(wheel_directory, config_settings, metadata_directory)
    return name


def build_sdist(sdist_directory: str, config_settings: Mapping[str, Any] | None = None) -> str:
    """Refuse: the crates that an sdist would need lie outside this directory."""
    raise UnsupportedOperation("no sdist: build a wheel from a clone of the repository (pip install ./python)")


def _build_program() -> None:
    command = ["cargo", "build", "--package", "tachograph-cli", "--bin", "tachograph"]
    print("+", *command, flush=True)
    try:
        built = subprocess.run(
            [*command, "--message-format", "json-render-diagnostics"], cwd=HERE, check=True, stdout=subprocess.PIPE
        )
    except FileNotFoundError:
        sys.exit("tachograph: cargo is not on PATH, install Rust (https://rustup.rs) and try again")
    except subprocess.CalledProcessError as error:
        sys.exit(f"tachograph: cargo failed, see its messages above: exit code {error.returncode}")
    executable = _executable(built.stdout.splitlines())
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    PROGRAM.unlink(missing_ok=True)
    strip = shutil.which("strip")
    if strip is None:
        sys.stderr.write("tachograph: no `strip` here, the program keeps its line tables and the wheel is bigger\n")
        shutil.copy2(executable, PROGRAM)
    else:
        subprocess.run([strip, "-o", str(PROGRAM), executable], check=True)
    PROGRAM.chmod(0o755)


def _executable(messages: Sequence[bytes]) -> str:
    for message in messages:
        artifact = json.loads(message)
        if artifact.get("executable") and artifact["target"]["name"] == "tachograph":
            return str(artifact["executable"])
    raise RuntimeError("cargo named no executable: tachograph")


def _print_size(wheel: Path) -> None:
    print(f"{wheel.name}: {wheel.stat().st_size / 1_000_000:.1f} MB", flush=True)
