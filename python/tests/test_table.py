"""Which hooks are live, which are missing, and when the ring opens."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from conftest import ENGINE, FakeEngine, hooked
from stub_probe import StubProbe

from tachograph.hook import MODULES, table
from tachograph.hook.engine import Engine, detect


def test_every_hook_is_live_on_an_engine_of_the_known_version(engine: FakeEngine) -> None:
    engine.processor()
    states = engine.probe.states()
    v1, v0, _ = (engine.table.points(line) for line in table.LINES)
    assert {states.pop(point.name) for point in v0} == {"not_applicable"}
    assert set(states.values()) == {"live"}
    assert len(states) == 13 == len(v1) + 1


def test_the_modules_waited_for_are_those_with_hooks(engine: FakeEngine) -> None:
    points = [point for line in table.LINES for point in engine.table.points(line)]
    assert {point.module for point in points} | {"fastapi.applications"} == MODULES


def test_a_function_that_this_version_does_not_have_is_missing_and_says_what_is_lost(engine: FakeEngine) -> None:
    module = ModuleType("vllm.v1.core.sched.scheduler")
    module.Scheduler = type("Scheduler", (), {"schedule": staticmethod(len)})  # type: ignore[attr-defined]
    engine.table.attach(module)
    engine.processor()
    missing = [call.args for call in engine.probe.named("probe") if call.args[1] == "missing"]
    assert len(missing) == 5
    assert ("vllm.v1.core.sched.scheduler.Scheduler._preempt_request", "missing", "preemptions") in missing


def test_a_class_that_cannot_be_changed_leaves_its_hooks_missing(engine: FakeEngine) -> None:
    module = ModuleType("fastapi.applications")
    module.FastAPI = type("Compiled", (type,), {"__setattr__": refuse})(  # type: ignore[attr-defined]
        "FastAPI", (), {"build_middleware_stack": lambda self: "app"}
    )
    engine.table.attach(module)
    engine.processor()
    assert module.FastAPI().build_middleware_stack() == "app"
    assert engine.probe.states()["fastapi.applications.FastAPI.build_middleware_stack"] == "missing"


def refuse(*_: object) -> None:
    raise TypeError("cannot set attributes of an extension type")


def test_a_module_that_this_version_does_not_have_is_missing(engine: FakeEngine, tmp_path: Path) -> None:
    sys.modules["vllm"].__path__ = [str(tmp_path)]
    engine.processor()
    details = {call.args[2] for call in engine.probe.named("probe") if call.args[1] == "missing"}
    assert "vllm 0.32.0 has no such module; preemptions" in details


def test_under_v0_the_hooks_of_v1_are_not_applicable(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_USE_V1", "0")
    monkeypatch.setattr(sys.modules["vllm"], "__version__", "0.8.5.post2")
    engine.app(None).build_middleware_stack()
    assert engine.probe.named("process")[0].args[3] == "v0"
    states = engine.probe.states()
    assert states.pop("fastapi.applications.FastAPI.build_middleware_stack") == "live"
    assert {states[point.name] for point in engine.table.points(table.LINES[0])} == {"not_applicable"}


def test_a_front_end_without_python_leaves_the_edge_missing(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_USE_RUST_FRONTEND", "1")
    engine.scheduler()
    assert engine.probe.states()["fastapi.applications.FastAPI.build_middleware_stack"] == "missing"


def test_a_module_imported_twice_is_wrapped_once(engine: FakeEngine) -> None:
    module = engine.modules["vllm.v1.core.sched.scheduler"]
    wrapped = module.Scheduler.schedule
    engine.table.attach(module)
    assert module.Scheduler.schedule is wrapped
    assert not hasattr(wrapped.__wrapped__, "__wrapped__")


@pytest.mark.parametrize(
    ("version", "use_v1", "generation"),
    [("0.8.5", "0", "v0"), ("0.10.2", "0", "v0"), ("0.10.2", "1", "v1"), ("0.32.0", "0", "v1"), ("dev", "0", "v1")],
)
def test_the_generation_is_v0_only_where_it_was_chosen_and_exists(
    monkeypatch: pytest.MonkeyPatch, version: str, use_v1: str, generation: str
) -> None:
    vllm = ModuleType("vllm")
    vllm.__version__ = version  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", vllm)
    monkeypatch.setenv("VLLM_USE_V1", use_v1)
    assert detect() == Engine("vllm", version, generation)


@pytest.mark.parametrize("begin", [FakeEngine.processor, FakeEngine.scheduler])
def test_a_hook_that_met_the_engine_knows_its_generation_better_than_the_environment(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, begin: Callable[[FakeEngine], object]
) -> None:
    monkeypatch.setenv("VLLM_USE_V1", "0")
    monkeypatch.setattr(sys.modules["vllm"], "__version__", "0.8.5.post2")
    begin(engine)
    assert engine.probe.named("process")[0].args[3] == "v1"


def test_without_a_ring_the_engine_runs_and_one_line_says_what_is_not_observed(
    probe: StubProbe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    probe.broken["open"] = OSError(28, "No space left on device")
    engine = hooked(probe, monkeypatch, tmp_path)
    engine.scheduler()
    engine.scheduler()
    (line,) = capfd.readouterr().err.splitlines()
    assert "this engine_core process is not observed, the engine runs on" in line
    assert "No space left on device" in line
    assert probe.calls == []


def test_without_the_extension_the_engine_runs_and_one_line_says_why(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import tachograph

    monkeypatch.delattr(tachograph, "_probe", raising=False)
    monkeypatch.setitem(sys.modules, "tachograph._probe", None)
    monkeypatch.setattr(table, "_table", None)
    monkeypatch.setattr(table, "_unusable", False)
    for _ in range(2):
        table.attach(ModuleType("fastapi.applications"))
    (line,) = capfd.readouterr().err.splitlines()
    assert "this process is not observed, the engine runs on: the probe cannot be loaded" in line


def test_a_forked_child_opens_a_ring_of_its_own_when_it_needs_one(engine: FakeEngine) -> None:
    engine.processor()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        dormant = not engine.probe.opened
        engine.scheduler()
        roles = [call.args[0] for call in engine.probe.named("process")]
        os.write(write, f"{dormant} {' '.join(roles)}".encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert pipe.read() == "True api_server engine_core"
    os.waitpid(child, 0)
    assert engine.probe.opened


def test_bad_settings_are_told_once_and_replaced_by_defaults(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TACHOGRAPH_RING_BYTES", "8M")
    engine.processor()
    engine.processor()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith("for TACHOGRAPH_RING_BYTES: 8M")
    assert engine.probe.named("open")[0].args[1:] == (8 * 1024 * 1024, True, 262_144)


SCHEDULER = "sglang.srt.managers.scheduler.Scheduler"
REPORTER = "sglang.srt.managers.scheduler_components.metrics_reporter.SchedulerMetricsReporter"


def test_of_alternatives_the_one_that_a_version_has_is_live_and_the_others_do_not_apply(sglang: FakeEngine) -> None:
    sglang.modules["sglang.srt.managers.scheduler"].Scheduler(SimpleNamespace(), None)
    states = sglang.probe.states()
    assert states[f"{REPORTER}.report_prefill_stats"] == "live"
    assert states[f"{SCHEDULER}.report_prefill_stats"] == "not_applicable"
    assert states[f"{SCHEDULER}.log_prefill_stats"] == "not_applicable"
    assert "missing" not in states.values()


def test_where_no_alternative_exists_all_of_them_are_missing(sglang: FakeEngine) -> None:
    reporter = ModuleType(REPORTER.rpartition(".")[0])
    sglang.table._live.discard(f"{REPORTER}.report_prefill_stats")
    sglang.table.attach(reporter)
    sglang.modules["sglang.srt.managers.scheduler"].Scheduler(SimpleNamespace(), None)
    missing = [call.args for call in sglang.probe.named("probe") if call.args[1] == "missing"]
    assert {name.rpartition(".")[2] for name, *_ in missing} == {"report_prefill_stats", "log_prefill_stats"}
    assert {lost for *_, lost in missing} == {"the cache hit rate"}


def test_of_modules_that_a_process_does_not_import_nothing_is_said(
    probe: StubProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = ModuleType("sglang")
    package.__path__ = [str(ENGINE / "sglang")]
    monkeypatch.setitem(sys.modules, "sglang", package)
    monkeypatch.setitem(sys.modules, "sglang.srt", ModuleType("sglang.srt"))
    only_here = table.Table(probe)
    only_here.ring.open("api_server")
    assert probe.states() == {}
