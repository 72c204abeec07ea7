"""The launch commands, with and without the program `tachograph`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tachograph import bootstrap as bootstrap_command
from tachograph import launch
from tachograph.hook import MODULES

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


def bootstrap(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tachograph-bootstrap", *arguments])
    return bootstrap_command.bootstrap()


@pytest.fixture
def vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine on disk that must not be imported."""
    place = tmp_path / "vllm"
    for name in MODULES:
        if name.startswith("vllm."):
            path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("raise AssertionError('imported')\n")
    (place / "__init__.py").write_text("raise AssertionError('imported')\n")
    (place / "_version.py").write_text("__version__ = version = '0.32.0'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(bootstrap_command, "find_binary", lambda: "/bin/tachograph")
    return place


@pytest.mark.usefixtures("vllm")
def test_check_names_the_engine_without_importing_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap(monkeypatch) == 0
    out = capsys.readouterr().out
    assert "engine: vllm 0.32.0 in " in out
    assert out.endswith("ready\n")
    assert "vllm" not in sys.modules


@pytest.mark.usefixtures("vllm")
def test_install_ends_with_the_launch_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap(monkeypatch, "-a", "install") == 0
    assert capsys.readouterr().out.endswith("tachograph-instrument vllm serve MODEL\n")


def test_check_fails_where_the_engine_is_of_another_line(
    vllm: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (vllm / "v1" / "core" / "sched" / "scheduler.py").unlink()
    (vllm / "_version.py").unlink()
    assert bootstrap(monkeypatch, "-a", "check") == 1
    out = capsys.readouterr().out
    assert "! engine: vllm of unknown version" in out
    assert "has no module vllm.v1.core.sched.scheduler" in out


def test_check_fails_and_says_what_to_do_where_there_is_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap_command, "find_binary", lambda: None)
    monkeypatch.setitem(sys.modules, "tachograph._probe", None)
    monkeypatch.delattr("tachograph._probe", raising=False)
    assert bootstrap(monkeypatch, "-a", "install") == 1
    out = capsys.readouterr().out
    assert "! probe: cannot be loaded" in out
    assert "! supervisor: no program" in out
    assert "! engine: no vllm in this environment; install it" in out
    assert "Put the command" not in out


def test_uninstall_has_nothing_to_undo_and_requirements_are_empty(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap(monkeypatch, "-a", "uninstall") == 0
    assert "Nothing to undo" in capsys.readouterr().out
    assert bootstrap(monkeypatch, "-a", "requirements") == 0
    assert capsys.readouterr().out == ""


def test_an_unknown_action_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        bootstrap(monkeypatch, "-a", "purge")
    assert exit_.value.code == 2
    assert "invalid choice: 'purge'" in capsys.readouterr().err
