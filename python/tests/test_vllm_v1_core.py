"""What EngineCore's hooks say about the queue and the steps."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from conftest import FakeEngine

from tachograph.hook.vllm_v1.core import IN_FLIGHT_MAX, Load, load_of


def request(id_: str) -> SimpleNamespace:
    return SimpleNamespace(request_id=id_, is_finished=lambda: False)


def decided(engine: FakeEngine, **members: int) -> Any:
    return engine.modules["vllm.v1.core.sched.scheduler"].SchedulerOutput(dict(members))


def outputs_of_step(*outputs: str, queries: int = 0) -> SimpleNamespace:
    stats = SimpleNamespace(prefix_cache_stats=SimpleNamespace(queries=queries))
    return SimpleNamespace(outputs=list(outputs), scheduler_stats=stats)


def status(engine: FakeEngine, name: str) -> Any:
    return engine.modules["vllm.v1.core.sched.scheduler"].RequestStatus[name]


def test_the_ring_opens_as_engine_core_with_the_limits_of_the_engine(engine: FakeEngine) -> None:
    engine.scheduler()
    (process,) = engine.probe.named("process")
    (limits,) = engine.probe.named("engine")
    assert process.args[0] == "engine_core"
    assert limits.kwargs == {
        "engine_index": 0,
        "served_models": ["tiny"],
        "max_model_len": 2048,
        "max_num_seqs": 128,
        "max_num_batched_tokens": 2048,
        "num_gpu_blocks": 1000,
        "block_size": 16,
    }


@pytest.mark.parametrize(
    ("parallel", "index"),
    [
        ({"data_parallel_index": 3, "data_parallel_rank": 0}, 3),
        ({"data_parallel_rank": 2}, 2),
        ({"tensor_parallel_size": 1}, 0),
    ],
)
def test_the_engine_index_is_the_data_parallel_rank_of_every_version(
    engine: FakeEngine, parallel: dict[str, int], index: int
) -> None:
    engine.scheduler("Scheduler", **parallel)
    assert engine.probe.named("engine")[0].kwargs["engine_index"] == index


def rust_front_end(monkeypatch: pytest.MonkeyPatch, **environment: Any) -> None:
    monkeypatch.setitem(sys.modules, "vllm.envs", SimpleNamespace(**environment))


def handed_over(**changed: Any) -> SimpleNamespace:
    """A Request as EngineCore makes it of what any front end sends."""
    params = SimpleNamespace(n=1, max_tokens=8, temperature=0.5, top_p=1.0, top_k=0, seed=3, stop=["END"])
    values = {"prompt_token_ids": [1, 2, 3], "sampling_params": params, "lora_request": None, "arrival_time": 1.5}
    return SimpleNamespace(request_id="cmpl-a-1234", **{**values, **changed})


def test_where_the_front_end_runs_no_python_the_engine_core_tells_the_sequences(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rust_front_end(monkeypatch, VLLM_USE_RUST_FRONTEND=True, VLLM_RUST_FRONTEND_PATH="/bin/vllm-rs")
    scheduler = engine.scheduler()
    scheduler.add_request(handed_over())
    scheduler.add_request(handed_over())
    (told,) = engine.probe.named("sequence_add")
    assert told.kwargs == {
        "http_id": 0,
        "arrival_time": 1.5,
        "internal_id": "cmpl-a-1234",
        "external_id": "cmpl-a-1234",
        "parent_id": "",
        "index": 0,
        "prompt_tokens": 3,
        "pool": False,
        "model": "tiny",
        "n": 1,
        "max_tokens": 8,
        "temperature": 0.5,
        "top_p": 1.0,
        "top_k": None,
        "seed": 3,
        "frequency_penalty": None,
        "presence_penalty": None,
        "stop": ["END"],
    }
    assert [call.name for call in engine.probe.calls[-2:]] == ["sequence_add", "queued"]


def test_a_pooled_sequence_of_such_a_front_end_is_told_as_one(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rust_front_end(monkeypatch, VLLM_USE_RUST_FRONTEND=True, VLLM_RUST_FRONTEND_PATH="/bin/vllm-rs")
    engine.scheduler().add_request(handed_over(sampling_params=None))
    assert engine.probe.named("sequence_add")[0].kwargs["pool"] is True


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"VLLM_USE_RUST_FRONTEND": False, "VLLM_RUST_FRONTEND_PATH": "/bin/vllm-rs"},
        {"VLLM_USE_RUST_FRONTEND": True, "VLLM_RUST_FRONTEND_PATH": None},
    ],
)
def test_where_the_api_server_tells_the_sequences_the_engine_core_does_not(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, environment: dict[str, Any]
) -> None:
    rust_front_end(monkeypatch, **environment)
    engine.scheduler().add_request(handed_over())
    assert engine.probe.named("sequence_add") == []
    assert len(engine.probe.named("queued")) == 1


def test_a_rust_front_end_that_is_wanted_but_not_there_is_none(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Settings(ModuleType):
        VLLM_USE_RUST_FRONTEND = True

        @property
        def VLLM_RUST_FRONTEND_PATH(self) -> str:  # noqa: N802 (the name that vLLM gives it)
            raise FileNotFoundError("vllm-rs was not found")

    monkeypatch.setitem(sys.modules, "vllm.envs", Settings("vllm.envs"))
    engine.scheduler().add_request(handed_over())
    assert engine.probe.named("sequence_add") == []
    assert engine.probe.named("fault") == []


def test_a_queued_sequence_knows_how_many_wait_before_it(engine: FakeEngine) -> None:
    scheduler = engine.scheduler()
    for id_ in ("a", "b", "a"):
        scheduler.add_request(request(id_))
    assert [call.args for call in engine.probe.named("queued")] == [("a", 0, 0), ("b", 0, 1)]
    assert scheduler.calls == ["add_request"] * 3


@pytest.mark.parametrize("kind", ["Scheduler", "AsyncScheduler", "DiffusionAsyncScheduler"])
def test_a_step_is_told_once_with_its_members_and_the_load_after_it(engine: FakeEngine, kind: str) -> None:
    scheduler = engine.scheduler(kind)
    scheduler.running = [request("a")]
    scheduler.waiting = [request("b"), request("c")]
    scheduler.deferred_waiting = {"c"}
    scheduler.kv_cache_manager.usage = 0.25
    output = decided(engine, a=7)
    scheduler.script = [output]
    assert scheduler.schedule() is output
    (call,) = engine.probe.named("step")
    assert call.args == (42, 0, 1, {"a": 7}, 1, 1, 1, 0.25)
    assert call.args[3] is output.num_scheduled_tokens


def test_outputs_carry_the_number_of_their_step_when_two_steps_are_in_flight(engine: FakeEngine) -> None:
    scheduler = engine.scheduler("AsyncScheduler")
    first, second = decided(engine, a=1), decided(engine, a=1)
    scheduler.script = [first, second]
    scheduler.schedule()
    scheduler.schedule(throttle_prefills=True)
    results = {0: "outputs of 1"}, {0: "outputs of 2"}
    assert scheduler.update_from_output(first, results[0]) is results[0]
    assert scheduler.update_from_output(scheduler_output=second, model_runner_output=results[1]) is results[1]
    assert [call.args for call in engine.probe.named("step_outputs")] == [(0, 1, results[0]), (0, 2, results[1])]


def test_a_step_without_members_is_told_only_when_the_load_changed(engine: FakeEngine) -> None:
    scheduler = engine.scheduler()
    scheduler.script = [decided(engine) for _ in range(4)]
    scheduler.schedule()
    scheduler.schedule()
    scheduler.kv_cache_manager.usage = 0.5
    scheduler.schedule()
    scheduler.schedule()
    assert [call.args[2:] for call in engine.probe.named("step")] == [(1, {}, 0, 0, 0, 0.0), (2, {}, 0, 0, 0, 0.5)]


def test_a_step_without_any_output_says_nothing(engine: FakeEngine) -> None:
    scheduler = engine.scheduler()
    scheduler.script = [decided(engine)]
    scheduler.update_from_output(scheduler.schedule(), {})
    assert engine.probe.named("step_outputs") == []


def test_steps_whose_outputs_never_come_are_forgotten(engine: FakeEngine) -> None:
    scheduler = engine.scheduler()
    outputs = [decided(engine, a=1) for _ in range(IN_FLIGHT_MAX + 1)]
    scheduler.script = list(outputs)
    for _ in outputs:
        scheduler.schedule()
    scheduler.update_from_output(outputs[1], {0: outputs_of_step("kept")})
    scheduler.update_from_output(outputs[0], {0: outputs_of_step("forgotten")})
    numbers = [call.args[1] for call in engine.probe.named("step_outputs")]
    assert numbers == [2, IN_FLIGHT_MAX + 1]


@pytest.mark.parametrize(
    ("outputs", "queries", "told"),
    [((), 0, 0), ((), 12, 1), (("a",), 0, 1)],
)
def test_rounds_of_a_waiting_engine_are_told_only_when_something_came_of_them(
    engine: FakeEngine, outputs: tuple[str, ...], queries: int, told: int
) -> None:
    scheduler = engine.scheduler()
    scheduler.script = [decided(engine), decided(engine)]
    scheduler.schedule()
    waiting = scheduler.schedule()
    scheduler.update_from_output(waiting, {0: outputs_of_step(*outputs, queries=queries)})
    scheduler.update_from_output(waiting, {0: SimpleNamespace(outputs=[], scheduler_stats=None)})
    assert [call.args[1] for call in engine.probe.named("step_outputs")] == [1] * told


def test_a_preemption_names_the_sequence(engine: FakeEngine) -> None:
    scheduler = engine.scheduler()
    victim = request("a")
    scheduler.running = [victim]
    scheduler._preempt_request(victim, 1.0, drop_stale_output=True)
    assert engine.probe.named("preempted")[0].args == ("a", 0)
    assert scheduler.waiting == [victim]


@pytest.mark.parametrize("ids", ["a", ["a", "gone"], ("a",), {"a"}, {"a": 1}.keys(), None])
def test_finished_names_only_what_was_still_alive(engine: FakeEngine, ids: Any) -> None:
    scheduler = engine.scheduler()
    scheduler.add_request(request("a"))
    result = scheduler.finish_requests(ids, status(engine, "FINISHED_ABORTED"))
    assert [item.request_id for item in result] == ["a"]
    assert engine.probe.named("finished")[0].args == (["a"], 0, "abort")


def test_an_iterator_of_ids_is_left_to_the_engine(engine: FakeEngine) -> None:
    scheduler = engine.scheduler()
    scheduler.add_request(request("a"))
    result = scheduler.finish_requests(iter(["a"]), finished_status=status(engine, "FINISHED_ERROR"))
    assert [item.request_id for item in result] == ["a"]
    assert engine.probe.named("finished")[0].args == (["a"], 0, "error")


@pytest.mark.parametrize(("kind", "named"), [("OlderScheduler", ["a"]), ("OldestScheduler", [])])
def test_what_an_iterator_named_is_known_as_far_as_the_engine_says_it(
    engine: FakeEngine, kind: str, named: list[str]
) -> None:
    scheduler = engine.scheduler(kind)
    scheduler.add_request(request("a"))
    scheduler.finish_requests(iter(["a"]), status(engine, "FINISHED_ABORTED"))
    assert [id_ for call in engine.probe.named("finished") for id_ in call.args[0]] == named
    assert engine.probe.named("fault") == []


def test_finishing_what_is_gone_says_nothing(engine: FakeEngine) -> None:
    scheduler = engine.scheduler()
    scheduler.finish_requests(["gone"], status(engine, "FINISHED_ABORTED"))
    assert engine.probe.named("finished") == []


@pytest.mark.parametrize(
    ("queues", "load"),
    [
        ({"waiting": [1, 2], "kv_holding_waiting": [3], "deferred_waiting": {1}}, Load(1, 2, 1, 0.5)),
        ({"waiting": [1, 2], "skipped_waiting": [3]}, Load(1, 2, 1, 0.5)),
        ({"waiting": [1, 2]}, Load(1, 2, 0, 0.5)),
    ],
)
def test_the_load_is_counted_as_each_version_counts_it(queues: dict[str, Any], load: Load) -> None:
    scheduler = SimpleNamespace(running=[0], kv_cache_manager=SimpleNamespace(usage=0.5), **queues)
    assert load_of(scheduler)(scheduler) == load
