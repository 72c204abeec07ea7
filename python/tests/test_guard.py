"""A fault of ours must never reach the engine, and a hook that goes on failing must go."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest
from conftest import FakeEngine, hooked
from stub_probe import StubProbe
from test_vllm_v1_core import decided, outputs_of_step, status
from test_vllm_v1_core import request as queued_request
from test_vllm_v1_front import output, request

from tachograph.hook.guard import FAULT_INJECTION, FAULTS_MAX, Hook, guard, guard_result
from tachograph.hook.ring import Ring

SCHEDULER = "vllm.v1.core.sched.scheduler.Scheduler"


def use_every_hook(engine: FakeEngine) -> list[Any]:
    """Call each wrapped function once and return what the engine's callers saw."""
    processor = engine.processor()
    scheduler = engine.scheduler("AsyncScheduler")
    scheduler.script = [decided(engine, a=1)]
    added = queued_request("a")
    seen = [
        processor.add_request(request("x"), "prompt"),
        processor.process_outputs([output("x", stopped=True)]).reqs_to_abort,
        processor.abort_requests(["x"], internal=True),
        scheduler.add_request(added),
        scheduler.schedule().num_scheduled_tokens,
    ]
    scheduler.running.append(added)
    seen += [
        scheduler._preempt_request(added, 1.0),
        scheduler.update_from_output("output", {0: outputs_of_step("a")}),
        scheduler.finish_requests(["a"], status(engine, "FINISHED_ABORTED")) == [added],
    ]
    assert processor.calls == ["add_request", "process_outputs", "abort_requests"]
    assert scheduler.calls == [
        "add_request", "schedule", "_preempt_request", "update_from_output", "finish_requests",
    ]  # fmt: skip
    return seen


def test_results_are_the_engines_own_while_every_hook_fails(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    healthy = use_every_hook(engine)
    monkeypatch.setenv(FAULT_INJECTION, "all")
    broken = hooked(StubProbe(), monkeypatch, tmp_path)
    assert use_every_hook(broken) == healthy
    broken.table.ring.open("api_server")
    use_every_hook(broken)
    assert {call.args[0].rpartition(".")[2] for call in broken.probe.named("fault")} == {
        "__init__", "add_request", "process_outputs", "abort_requests", "schedule", "_preempt_request",
        "update_from_output", "finish_requests",
    }  # fmt: skip


def test_a_fault_can_be_injected_into_one_hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FAULT_INJECTION, f"{SCHEDULER}.schedule")
    engine = hooked(StubProbe(), monkeypatch, tmp_path)
    use_every_hook(engine)
    assert {call.args[0] for call in engine.probe.named("fault")} == {f"{SCHEDULER}.schedule"}
    assert len(engine.probe.named("queued")) == 1


def test_a_hook_takes_itself_out_after_repeated_faults_and_says_so_once(
    engine: FakeEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    scheduler = engine.scheduler()
    engine.probe.broken["step"] = ValueError("no step")
    outputs = [decided(engine, a=1) for _ in range(FAULTS_MAX + 5)]
    scheduler.script = list(outputs)
    assert [scheduler.schedule() for _ in outputs] == outputs
    assert len(engine.probe.named("fault")) == FAULTS_MAX
    assert engine.probe.states()[f"{SCHEDULER}.schedule"] == "removed"
    assert not hasattr(engine.scheduler_class.schedule, "__wrapped__")
    (line,) = capfd.readouterr().err.splitlines()
    assert f"{SCHEDULER}.schedule failed {FAULTS_MAX} times and is no longer observed" in line
    assert "ValueError: no step" in line


def test_a_removed_hook_leaves_the_wrapper_that_another_tool_put_over_it(engine: FakeEngine) -> None:
    scheduler = engine.scheduler()
    ours = engine.scheduler_class.schedule

    def theirs(self: Any, *args: Any) -> Any:
        return ours(self, *args)

    engine.scheduler_class.schedule = theirs
    engine.probe.broken["step"] = ValueError("no step")
    outputs = [decided(engine, a=1) for _ in range(FAULTS_MAX + 5)]
    scheduler.script = list(outputs)
    assert [scheduler.schedule() for _ in outputs] == outputs
    assert engine.scheduler_class.schedule is theirs
    assert len(engine.probe.named("fault")) == FAULTS_MAX


def test_what_comes_after_is_not_called_when_what_comes_before_failed(ring: Ring) -> None:
    def before() -> None:
        raise LookupError

    wrapped = guard(Hook("h", "", ring), lambda: "result", before, after_must_not_run)
    assert wrapped() == "result"


@pytest.mark.parametrize("raised", [ValueError("engine"), KeyboardInterrupt(), asyncio.CancelledError(), SystemExit(3)])
def test_an_exception_of_the_engine_passes_untouched(ring: Ring, raised: BaseException) -> None:
    calls = []

    def original() -> None:
        calls.append(1)
        raise raised

    hook = Hook("h", "", ring)
    for wrapped in (guard(hook, original, None, after_must_not_run), guard_result(hook, original, after_must_not_run)):
        with pytest.raises(type(raised)) as caught:
            wrapped()
        assert caught.value is raised
    assert len(calls) == 2


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), SystemExit(3)])
def test_a_signal_that_arrives_in_our_code_still_reaches_the_engine(ring: Ring, raised: BaseException) -> None:
    def after(*_: Any) -> None:
        raise raised

    with pytest.raises(type(raised)):
        guard(Hook("h", "", ring), lambda: None, None, after)()


def test_a_panic_of_the_extension_is_a_fault_like_any_other(ring: Ring, probe: StubProbe) -> None:
    class PanicException(BaseException):
        """As PyO3 raises it."""

    def after(*_: Any) -> None:
        raise PanicException("at the\ndisco")

    assert guard(Hook("h", "", ring), lambda: 1, None, after)() == 1
    assert probe.named("fault")[0].args == ("h", "PanicException: at the disco")


def test_an_exception_without_a_text_is_still_told(ring: Ring, probe: StubProbe) -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def around(*_: Any) -> None:
        raise MuteError

    assert guard_result(Hook("h", "", ring), lambda: 1, around)() == 1
    assert probe.named("fault")[0].args == ("h", "MuteError: no text")


def test_a_probe_that_cannot_even_take_a_fault_ends_the_hook(ring: Ring, probe: StubProbe) -> None:
    probe.broken["fault"] = RuntimeError("broken")
    calls = []

    def after(*_: Any) -> None:
        calls.append(1)
        raise ValueError

    wrapped = guard(Hook("h", "", ring), lambda: 1, None, after)
    assert [wrapped(), wrapped()] == [1, 1]
    assert calls == [1]


def test_wrapped_functions_keep_their_name_and_signature(engine: FakeEngine) -> None:
    method = engine.scheduler_class.finish_requests
    assert method.__name__ == "finish_requests"
    assert list(inspect.signature(method).parameters) == ["self", "request_ids", "finished_status"]


def after_must_not_run(*_: Any) -> None:
    raise AssertionError("called")


@pytest.fixture
def ring(probe: StubProbe) -> Ring:
    probe.opened = True
    return Ring(probe, lambda: None)


def test_while_recording_is_off_only_constructors_are_observed_and_the_rest_again_once_it_is_on(
    engine: FakeEngine,
) -> None:
    healthy = use_every_hook(engine)
    said = [call.name for call in engine.probe.calls]
    engine.probe.off = True
    engine.probe.calls.clear()
    assert use_every_hook(engine) == healthy
    assert [call.name for call in engine.probe.calls] == ["engine"]
    engine.probe.off = False
    engine.probe.calls.clear()
    assert use_every_hook(engine) == healthy
    assert {call.name for call in engine.probe.calls} <= set(said)
    assert {"sequence_add", "queued", "step", "step_outputs"} <= {call.name for call in engine.probe.calls}
