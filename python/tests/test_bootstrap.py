"""`tachograph-bootstrap`: what it finds in an environment, and what its exit code means."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ENGINE

from tachograph import bootstrap as command
from tachograph import report as report_module
from tachograph.environment import engines

SCHEDULER = "vllm.v1.core.sched.scheduler.Scheduler"


def bootstrap(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tachograph-bootstrap", *arguments])
    return command.bootstrap()


def write(place: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(autouse=True)
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel's other half is there, and no engine of this machine."""
    monkeypatch.setattr(report_module, "find_binary", lambda: "/bin/tachograph")
    monkeypatch.setattr(report_module, "_extension", lambda: "")
    for name in ("VLLM_USE_V1", "VLLM_USE_RUST_FRONTEND", "TACHOGRAPH_ENABLED", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ENGINE))


def both_generations(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vLLM that holds V0 and V1, which must not be imported."""
    write(
        place,
        {
            "vllm/__init__.py": "raise AssertionError('imported')",
            "vllm/_version.py": "__version__ = version = '0.8.5'\n",
            "vllm/engine/llm_engine.py": "class LLMEngine:\n    def __init__(self): ...\n",
            "vllm/v1/engine/async_llm.py": "class AsyncLLM: ...\n",
        },
    )
    monkeypatch.syspath_prepend(str(place))


@pytest.mark.usefixtures("vllm")
def test_check_names_the_engine_and_its_hooks_without_importing_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap(monkeypatch, "--hooks") == 0
    out = capsys.readouterr().out
    assert "engine:      vllm 0.32.0 V1 in " in out
    assert f"live           {SCHEDULER}.schedule\n" in out
    assert "not_applicable vllm.core.scheduler.Scheduler.schedule  the V1 engine does not use it" in out
    assert "vllm" not in sys.modules


def test_of_an_engine_with_other_internals_check_says_what_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    both_generations(tmp_path, monkeypatch)
    assert bootstrap(monkeypatch) == 1
    out = capsys.readouterr().out
    assert "engine:      vllm 0.8.5 V1 in " in out
    assert "! lost:        not in vllm 0.8.5; preemptions\n" in out
    assert out.count("the served model's name on sequences") == 1, "said once for two hooks"


def test_where_a_vllm_holds_both_generations_its_own_switch_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_generations(tmp_path, monkeypatch)
    assert [engine.generation for engine in engines({})] == ["v1"]
    (v0,) = engines({"VLLM_USE_V1": "0"})
    states = {probe.name: probe.state for probe in v0.probes}
    assert (v0.generation, states["vllm.engine.llm_engine.LLMEngine.__init__"]) == ("v0", "live")
    assert states[f"{SCHEDULER}.schedule"] == "not_applicable"


def test_alternatives_between_versions_count_as_one_hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path,
        {
            "sglang/__init__.py": "raise AssertionError('imported')",
            "sglang/version.py": '__version__ = "0.5.10"\n',
            "sglang/srt/managers/scheduler.py": """
class Scheduler:
    def _add_request_to_queue(self): ...
    def abort_request(self): ...
""",
        },
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    (sglang,) = engines({})
    states = {probe.name.rpartition(".")[2]: probe for probe in sglang.probes if ".Scheduler." in probe.name}
    assert (sglang.version, states["_add_request_to_queue"].state) == ("0.5.10", "live")
    other = states["_extend_requests_to_queue"]
    assert other.state == "not_applicable"
    assert other.detail.startswith("this version has ")
    assert states["run_batch"].state == "missing"


@pytest.mark.usefixtures("vllm")
def test_a_front_end_in_rust_is_named_as_a_loss(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VLLM_USE_RUST_FRONTEND", "1")
    assert bootstrap(monkeypatch) == 1
    assert "! lost:        vllm's Rust front end runs no Python; HTTP requests" in capsys.readouterr().out


@pytest.mark.usefixtures("vllm")
def test_the_json_of_a_check_has_every_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TACHOGRAPH_RING_BYTES", "7")
    assert bootstrap(monkeypatch, "--json") == 1
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    engine = next(engine for engine in found["engines"] if engine["name"] == "vllm")
    assert (engine["name"], engine["version"], engine["generation"]) == ("vllm", "0.32.0", "v1")
    assert {"name": f"{SCHEDULER}.schedule", "state": "live", "detail": ""} in engine["probes"]
    assert (found["supervisor"], found["probe"]["loads"], found["code"]) == ("/bin/tachograph", True, 1)
    assert "TACHOGRAPH_RING_BYTES: 7" in found["complaints"][0]


@pytest.mark.usefixtures("vllm")
def test_check_says_that_recording_is_turned_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TACHOGRAPH_ENABLED", "false")
    assert bootstrap(monkeypatch) == 1
    assert "! recording:   turned off by TACHOGRAPH_ENABLED" in capsys.readouterr().out


def test_without_an_engine_check_cannot_tell_and_install_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report_module, "engines", lambda _environ: [])
    assert bootstrap(monkeypatch) == 2
    assert "! engine:      no vllm and no sglang in this environment" in capsys.readouterr().out
    assert bootstrap(monkeypatch, "-a", "install") == 0, "the documented `install && instrument` goes on"
    assert capsys.readouterr().out.endswith("tachograph-instrument vllm serve MODEL\n")


@pytest.mark.usefixtures("vllm")
def test_a_wheel_that_is_broken_is_a_failure_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report_module, "find_binary", lambda: None)
    monkeypatch.setattr(report_module, "_extension", lambda: "cannot be loaded: no such file")
    assert bootstrap(monkeypatch, "-a", "install") == 1
    out = capsys.readouterr().out
    assert "! probe:       cannot be loaded: no such file" in out
    assert "! supervisor:  no program `tachograph` here or on PATH; install the wheel again" in out
    assert "ready" not in out


def test_requirements_are_empty(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap(monkeypatch, "-a", "requirements") == 0
    assert capsys.readouterr().out == ""


def test_an_unknown_action_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        bootstrap(monkeypatch, "-a", "purge")
    assert exit_.value.code == 2
    assert "invalid choice: 'purge'" in capsys.readouterr().err
