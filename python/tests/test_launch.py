"""The launch commands, with and without the program `tachograph`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tachograph import launch

PACKAGE = Path(launch.__file__).parent.parent


def instrument(*command: str, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
    """Run `tachograph-instrument` where the interpreter's own directory has no program `tachograph`."""
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from tachograph import launch;"
        "launch.sysconfig.get_path = lambda name: '/nonexistent'; sys.executable = '/nonexistent/python';"
        "sys.exit(launch.instrument())"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(PACKAGE), *command],
        env={"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )


def program(directory: Path, name: str, text: str, mode: int = 0o755) -> Path:
    path = directory / name
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_supervisor_gets_the_command_and_the_directory_to_inject(tmp_path: Path) -> None:
    program(tmp_path, "tachograph", '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    done = instrument("vllm", "serve", "a b", "--port=1", path=f"{tmp_path}:/usr/bin:/bin")
    assert done.stdout.splitlines() == ["run", "--inject", launch.INJECT, "--", "vllm", "serve", "a b", "--port=1"]
    assert (done.stderr, done.returncode) == ("", 7)
    assert os.listdir(launch.INJECT)[0].startswith(("sitecustomize", "__pycache__"))


def test_without_the_supervisor_the_command_runs_alone_and_one_line_says_so() -> None:
    done = instrument("sh", "-c", "echo out; exit 5")
    assert (done.stdout, done.returncode) == ("out\n", 5)
    (line,) = done.stderr.splitlines()
    assert line.startswith("tachograph: nothing is observed, the command runs alone: no `tachograph`")


def test_a_command_that_does_not_exist_ends_as_in_a_shell() -> None:
    done = instrument("no-such-command")
    assert done.stderr.splitlines()[-1] == "tachograph-instrument: no-such-command: command not found"
    assert done.returncode == 127


def test_a_command_that_cannot_be_executed_ends_as_in_a_shell(tmp_path: Path) -> None:
    done = instrument(str(program(tmp_path, "plain", "text", mode=0o644)))
    assert done.stderr.splitlines()[-1].endswith("plain: Permission denied")
    assert done.returncode == 126


@pytest.mark.parametrize(("command", "code"), [((), 2), (("--",), 2), (("--help",), 0)])
def test_without_a_command_the_usage_is_shown(command: tuple[str, ...], code: int) -> None:
    done = instrument(*command)
    assert "usage: tachograph-instrument COMMAND" in done.stderr
    assert (done.stdout, done.returncode) == ("", code)


def test_the_program_of_the_environment_comes_before_that_of_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for directory in (ours, theirs):
        directory.mkdir()
        program(directory, "tachograph", "#!/bin/sh\n")
    monkeypatch.setattr(sys, "executable", str(ours / "python"))
    monkeypatch.setenv("PATH", str(theirs))
    assert launch.find_binary() == str(ours / "tachograph")


def test_a_program_that_cannot_be_executed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "tachograph", "text", mode=0o644)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert launch.find_binary() is None
