"""What the hooks of vLLM's V0 engine say about the queue and the steps."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stub_probe import StubProbe
from v0_engine import V0Engine, hooked_v0


@pytest.fixture
def v0(probe: StubProbe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> V0Engine:
    return hooked_v0(probe, monkeypatch, tmp_path)


def group(v0: V0Engine, id_: str) -> Any:
    return v0.made("sequence", "SequenceGroup", id_)


def scheduled(v0: V0Engine, *groups: Any, **changed: Any) -> Any:
    """The SchedulerOutputs of a step with these groups, a token each."""
    members = [v0.made("core.scheduler", "ScheduledSequenceGroup", one, 1) for one in groups]
    return v0.made("core.scheduler", "SchedulerOutputs", members, **changed)


def context(*outputs: Any) -> SimpleNamespace:
    """A SchedulerContext with the outputs of these steps in its queue."""
    return SimpleNamespace(output_queue=deque(SimpleNamespace(scheduler_outputs=one) for one in outputs))


def steps(v0: V0Engine) -> list[tuple[Any, ...]]:
    return [call.args for call in v0.probe.named("v0_step")]


def test_the_ring_opens_as_engine_core_of_v0_with_the_limits_of_the_engine(v0: V0Engine) -> None:
    v0.engine()
    (process,) = v0.probe.named("process")
    (limits,) = v0.probe.named("engine")
    assert process.args[:4] == ("engine_core", "vllm", "0.8.5.post2", "v0")
    assert limits.kwargs == {
        "engine_index": 0,
        "served_models": ["tiny"],
        "max_model_len": 2048,
        "max_num_seqs": 128,
        "max_num_batched_tokens": 2048,
        "num_gpu_blocks": 1000,
        "block_size": 16,
    }


def test_a_queued_sequence_knows_how_many_wait_before_it(v0: V0Engine) -> None:
    (scheduler,) = v0.engine().scheduler
    for id_ in ("a", "b"):
        scheduler.add_seq_group(group(v0, id_))
    assert [call.args for call in v0.probe.named("queued")] == [("a", 0, 0), ("b", 0, 1)]


def test_a_step_is_told_once_with_its_groups_and_the_load_of_all_schedulers_after_it(v0: V0Engine) -> None:
    first, second = v0.engine(stages=2).scheduler
    a, b = group(v0, "a"), group(v0, "b")
    first.running.append(a)
    second.waiting.extend((b, b))
    first.free.gpu, second.free.gpu = 150, 100
    outputs = scheduled(v0, a, num_prefill_groups=1, num_lookahead_slots=3)
    first.script = [outputs]
    assert first.schedule() == ([], outputs, True)
    assert steps(v0) == [(42, 0, 1, outputs.scheduled_seq_groups, 1, 3, 1, 2, 0.75)]


def test_a_step_without_groups_is_told_only_when_the_load_changed(v0: V0Engine) -> None:
    (scheduler,) = v0.engine().scheduler
    scheduler.script = [scheduled(v0) for _ in range(4)]
    scheduler.schedule()
    scheduler.schedule()
    scheduler.free.gpu = 500
    scheduler.schedule()
    scheduler.schedule()
    assert [args[2] for args in steps(v0)] == [1, 2]


def test_prompt_tokens_and_what_is_swapped_out_are_told_when_they_change(v0: V0Engine) -> None:
    (scheduler,) = v0.engine().scheduler
    a = group(v0, "a")
    v0.probe.prompt_tokens = 12
    scheduler.script = [scheduled(v0, a) for _ in range(4)]
    scheduler.schedule()
    v0.probe.prompt_tokens = 0
    scheduler.schedule()
    scheduler.swapped.append(a)
    scheduler.free.cpu = 75
    scheduler.schedule()
    scheduler.swapped.clear()
    scheduler.schedule()
    assert [call.args for call in v0.probe.named("sample")] == [
        (0, {"prompt_tokens": 12, "swapped": 0, "cpu_kv_usage": 0.0}),
        (0, {"swapped": 1, "cpu_kv_usage": 0.25}),
        (0, {"swapped": 0, "cpu_kv_usage": 0.0}),
    ]


def test_an_engine_without_a_kv_cache_of_its_own_uses_none(v0: V0Engine) -> None:
    engine = v0.engine()
    engine.cache_config.num_gpu_blocks = None
    engine.scheduler[0].script = [scheduled(v0, group(v0, "embd-a"))]
    engine.scheduler[0].schedule()
    assert steps(v0)[0][-1] == 0.0


def test_a_prompt_that_no_step_can_hold_ends_by_its_length(v0: V0Engine) -> None:
    (scheduler,) = v0.engine().scheduler
    scheduler.script = [scheduled(v0, ignored_seq_groups=[group(v0, "a")])]
    scheduler.schedule()
    assert v0.probe.named("finished")[0].args == (["a"], 0, "length")


def test_outputs_carry_the_number_of_their_step_though_the_next_one_is_decided(v0: V0Engine) -> None:
    engine = v0.engine()
    (scheduler,) = engine.scheduler
    a = group(v0, "a")
    scheduler.running.append(a)
    first, second = scheduled(v0, a), scheduled(v0, a)
    scheduler.script = [first, second]
    scheduler.schedule()
    scheduler.schedule()
    queue = context(first, second)
    engine._process_model_outputs(ctx=queue)
    engine._process_model_outputs(queue)
    engine._process_model_outputs(ctx=queue)
    assert [call.args for call in v0.probe.named("v0_step_outputs")] == [
        (0, 1, first.scheduled_seq_groups, None),
        (0, 2, second.scheduled_seq_groups, None),
    ]


def test_before_a_preemption_only_the_victims_output_is_told(v0: V0Engine) -> None:
    engine = v0.engine()
    (scheduler,) = engine.scheduler
    outputs = scheduled(v0, group(v0, "a"), group(v0, "b"))
    scheduler.script = [outputs]
    scheduler.schedule()
    engine._process_model_outputs(ctx=context(outputs), request_id="b")
    assert v0.probe.named("v0_step_outputs")[0].args == (0, 1, outputs.scheduled_seq_groups, "b")


def test_an_engine_that_goes_to_sleep_says_that_nothing_runs(v0: V0Engine) -> None:
    engine = v0.engine()
    (scheduler,) = engine.scheduler
    scheduler.running.append(group(v0, "a"))
    outputs = scheduled(v0, *scheduler.running)
    scheduler.script = [outputs]
    scheduler.schedule()
    scheduler.running.clear()
    engine._process_model_outputs(ctx=context(outputs))
    engine._process_model_outputs(ctx=context(outputs))
    assert [args[2:8] for args in steps(v0)] == [(1, outputs.scheduled_seq_groups, 0, 0, 1, 0), (2, (), 0, 0, 0, 0)]


def test_a_preemption_names_the_sequence(v0: V0Engine) -> None:
    (scheduler,) = v0.engine().scheduler
    victim = group(v0, "a")
    scheduler.running.append(victim)
    scheduler._preempt(victim, [])
    assert v0.probe.named("preempted")[0].args == ("a", 0)


def test_an_abort_ends_what_was_still_in_a_queue_by_the_names_of_its_sequences(v0: V0Engine) -> None:
    (scheduler,) = v0.engine().scheduler
    for id_ in ("a_parallel_sample_0", "a_parallel_sample_1", "b"):
        scheduler.add_seq_group(group(v0, id_))
    scheduler.abort_seq_group("a", seq_id_to_seq_group={})
    scheduler.abort_seq_group(["a", "gone"])
    told = [call.args for call in v0.probe.named("finished")]
    assert told == [(["a_parallel_sample_0", "a_parallel_sample_1"], 0, "abort")]
