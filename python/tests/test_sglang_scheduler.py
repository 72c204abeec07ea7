"""What the hooks of SGLang's scheduler say about its queue, its steps and its figures."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import FakeEngine

from tachograph.hook.sglang.pool import Pool, pool_of
from tachograph.hook.sglang.report import Report
from tachograph.hook.sglang.step import Steps

MODULE = "sglang.srt.managers.scheduler"


def scheduler(engine: FakeEngine, **ranks: Any) -> Any:
    args = SimpleNamespace(served_model_name=None, model_path="/models/tiny")
    return engine.modules[MODULE].Scheduler(args, None, **ranks)


def req(rid: str, **changed: Any) -> SimpleNamespace:
    params = SimpleNamespace(n=1, max_new_tokens=8, stop_strs=[])
    values = {"is_retracted": False, "origin_input_ids": [1, 2], "sampling_params": params, **changed}
    return SimpleNamespace(rid=rid, **values)


def batch(*reqs: Any, extend: list[int] | None = None) -> SimpleNamespace:
    mode = SimpleNamespace(is_extend=lambda: extend is not None)
    return SimpleNamespace(reqs=list(reqs), forward_mode=mode, extend_lens=extend or [99])


def turn(core: Any, of: Any) -> None:
    """One round of the event loop."""
    core.script = [of]
    plan = core.get_next_batch_to_run(running_batch=core.running_batch, last_batch=None)
    if plan.batch_to_run is not None:
        core.process_batch_result(plan.batch_to_run, core.run_batch(plan.batch_to_run))


def test_the_ring_opens_as_engine_core_with_the_limits_of_the_engine(sglang: FakeEngine) -> None:
    scheduler(sglang, dp_rank=1)
    assert sglang.probe.named("process")[0].args[0] == "engine_core"
    assert sglang.probe.named("engine")[0].kwargs == {
        "engine_index": 1, "served_models": ["/models/tiny"], "max_model_len": 2048, "max_num_seqs": 32,
        "max_num_batched_tokens": 4096, "num_gpu_blocks": 250, "block_size": 4,
    }  # fmt: skip


def test_with_dp_attention_the_rank_may_have_another_name(sglang: FakeEngine) -> None:
    scheduler(sglang, attn_dp_rank=2)
    assert sglang.probe.named("engine")[0].kwargs["engine_index"] == 2


@pytest.mark.parametrize("ranks", [{"attn_tp_rank": 1}, {"pp_rank": 1}])
def test_only_the_first_rank_of_a_replica_speaks(sglang: FakeEngine, ranks: dict[str, int]) -> None:
    core = scheduler(sglang, **ranks)
    core._add_request_to_queue(req("a"))
    turn(core, batch(req("a"), extend=[2]))
    turn(core, None)
    assert sglang.probe.calls == []


def test_ranks_are_also_found_where_newer_versions_keep_them(
    sglang: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    parallel = SimpleNamespace(attn_tp_rank=0, dp_rank=3)
    context = SimpleNamespace(get_parallel=lambda: parallel)
    monkeypatch.setitem(sys.modules, "sglang.srt.runtime_context", context)
    scheduler(sglang)
    assert sglang.probe.named("engine")[0].kwargs["engine_index"] == 3


def test_a_queued_sequence_knows_how_many_wait_before_it_and_a_retracted_one_was_preempted(sglang: FakeEngine) -> None:
    core = scheduler(sglang)
    core._add_request_to_queue(req("a"))
    core._add_request_to_queue(req("b"), is_retracted=True)
    core._add_request_to_queue(req("c", is_retracted=True))
    core._add_request_to_queue(req("HEALTH_CHECK_1"))
    core._add_request_to_queue(req("d"))
    assert [call.args for call in sglang.probe.named("queued")] == [("a", 0, 0), ("d", 0, 4)]
    assert [call.args for call in sglang.probe.named("preempted")] == [("b", 0), ("c", 0)]
    assert sglang.probe.named("sequence_add") == []


def test_without_a_tokenizer_manager_in_python_the_scheduler_names_the_sequences(sglang: FakeEngine) -> None:
    core = scheduler(sglang)
    core.rust_server = object()
    core._tachograph_steps = Steps(core, 0)
    core._add_request_to_queue(req("a"))
    (call,) = sglang.probe.named("sequence_add")
    assert (call.kwargs["internal_id"], call.kwargs["prompt_tokens"], call.kwargs["max_tokens"]) == ("a", 2, 8)


def test_a_step_is_told_with_its_members_and_the_load_after_it(sglang: FakeEngine) -> None:
    core = scheduler(sglang)
    core.waiting_queue = [req("w")]
    core.grammar_manager.grammar_queue = [req("g"), req("h")]
    core.running_batch = batch(req("r"))
    prefill = batch(req("a"), req("b"), extend=[5, 7])
    turn(core, prefill)
    told = sglang.probe.named("sglang_step")[0].kwargs
    assert told == {
        "start_ns": 42, "schedule_ns": 0, "engine_index": 0, "step": 1, "reqs": prefill.reqs, "tokens": [5, 7],
        "running": 3, "waiting": 1, "deferred": 2, "kv_usage": 0.25,
    }  # fmt: skip
    core.running_batch = batch(req("r"), req("a"), req("b"))
    turn(core, core.running_batch)
    told = sglang.probe.named("sglang_step")[1].kwargs
    assert (told["step"], told["tokens"], told["running"]) == (2, None, 3)


def test_outputs_are_told_once_with_the_number_of_their_step_before_they_leave(sglang: FakeEngine) -> None:
    core = scheduler(sglang)
    first, second = batch(req("a"), extend=[1]), batch(req("a"))
    results = [core.run_batch(first), core.run_batch(second)]
    core.during = lambda: sglang.probe.calls.append("processed")  # type: ignore[arg-type]
    for one, result in zip((first, second), results):
        core.process_batch_result(one, result)
    told = [call if isinstance(call, str) else (call.name, *call.args[1:]) for call in sglang.probe.calls[-6:]]
    assert told == [
        ("sglang_batch",), "processed", ("outputs", 0, 1, True),
        ("sglang_batch",), "processed", ("outputs", 0, 2, True),
    ]  # fmt: skip
    assert core.output_streamer.sent == [["a"], ["a"]]


def test_outputs_that_do_not_leave_are_told_all_the_same(sglang: FakeEngine) -> None:
    core = scheduler(sglang)
    core.output_streamer = SimpleNamespace(stream_output=lambda *_: None)
    turn(core, batch(req("a"), extend=[1]))
    assert len(sglang.probe.named("outputs")) == 1


def test_an_idle_scheduler_tells_its_load_once_when_the_last_results_are_in(sglang: FakeEngine) -> None:
    core = scheduler(sglang)
    turn(core, batch(req("a"), extend=[1]))
    for _ in range(5):
        turn(core, None)
    assert [call.kwargs["reqs"] for call in sglang.probe.named("sglang_step")][1:] == [()]


def test_figures_are_told_when_they_change_and_reports_are_counted(sglang: FakeEngine) -> None:
    core = scheduler(sglang)
    turn(core, batch(req("a"), extend=[1]))
    stats = SimpleNamespace(log_hit_tokens=3, log_input_tokens=1)
    core.metrics_reporter.report_prefill_stats(None, stats, False)
    turn(core, batch(req("a")))
    core.metrics_reporter.last_decode_stats_tic += 1
    core.metrics_reporter.last_gen_throughput = 12.5
    core.metrics_reporter.spec_total_num_accept_tokens, core.metrics_reporter.spec_total_num_forward_ct = 30, 12
    turn(core, batch(req("a")))
    turn(core, batch(req("a")))
    assert [call.args for call in sglang.probe.named("sample")] == [
        (0, {"used_tokens": 250, "token_usage": 0.25}),
        (0, {"cache_hit_rate": 0.75, "gen_throughput": 0.0, "stat_reports": 1}),
        (0, {"gen_throughput": 12.5, "spec_accept_length": 2.5, "stat_reports": 1}),
    ]


def test_an_idle_scheduler_generates_nothing(sglang: FakeEngine) -> None:
    core = scheduler(sglang)
    turn(core, batch(req("a"), extend=[1]))
    core.metrics_reporter.last_decode_stats_tic, core.metrics_reporter.last_gen_throughput = 2.0, 5.0
    turn(core, batch(req("a")))
    for _ in range(3):
        turn(core, None)
    told = [call.args[1] for call in sglang.probe.named("sample")][1:]
    assert told == [{"gen_throughput": 5.0, "stat_reports": 1}, {"gen_throughput": 0.0}]


@pytest.mark.parametrize(
    ("reason", "told"),
    [(None, "abort"), ({"type": "abort"}, "abort"), ({"type": "abort", "status_code": 503}, "error")],
)
def test_what_the_scheduler_ends_outside_a_step_is_told_with_its_reason(
    sglang: FakeEngine, reason: Any, told: str
) -> None:
    core = scheduler(sglang)
    assert core.send_abort_output(SimpleNamespace(finished_reason=reason), req("a")) == "sent"
    core.waiting_queue = [req("b")]
    core.abort_request(SimpleNamespace(rid="b", abort_all=False))
    assert [call.args for call in sglang.probe.named("finished")] == [(["a"], 0, told)]


def test_versions_without_one_place_for_that_tell_what_left_the_queue(
    sglang: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = scheduler(sglang)
    monkeypatch.delattr(sglang.modules[MODULE].Scheduler, "send_abort_output")
    core.waiting_queue = [req("a1"), req("b")]
    core.abort_request(SimpleNamespace(rid="a"))
    core.abort_request(SimpleNamespace(rid="gone"))
    assert [call.args for call in sglang.probe.named("finished")] == [(["a1"], 0, "abort")]


def test_the_cache_is_counted_as_each_version_counts_it() -> None:
    stats = SimpleNamespace(get_kv_token_stats=lambda: (30, 0.2), get_max_pool_usage=lambda: 0.3)
    observed = SimpleNamespace(pool_stats_observer=SimpleNamespace(get_pool_stats=lambda: stats))
    hybrid = SimpleNamespace(is_hybrid=True, _get_swa_token_info=lambda: (10, 20, 0.5, 0.1, 0, 0, 0, 0))
    counted = SimpleNamespace(
        max_total_num_tokens=100,
        token_to_kv_pool_allocator=SimpleNamespace(available_size=lambda: 50),
        tree_cache=SimpleNamespace(evictable_size=lambda: 25),
    )
    pools = [pool_of(one)(one) for one in (observed, hybrid, counted)]
    assert pools == [Pool(30, 0.3), Pool(20, 0.5), Pool(25, 0.25)]


@pytest.mark.parametrize("accepted", ["spec_total_num_accepted_tokens", "cum_spec_accept_length"])
def test_older_schedulers_are_their_own_reporters(accepted: str) -> None:
    rounds = "cum_spec_accept_count" if accepted.startswith("cum") else "spec_total_num_forward_ct"
    core = SimpleNamespace(last_prefill_stats_tic=1.0, last_decode_stats_tic=1.0, **{accepted: 4, rounds: 2})
    report = Report(core)
    vars(core).update({accepted: 10, rounds: 4, "last_decode_stats_tic": 2.0, "last_gen_throughput": 9.0})
    changed = report.changes({}, 1, 0.5, False)
    assert (changed["spec_accept_length"], changed["gen_throughput"], changed["stat_reports"]) == (3.0, 9.0, 1)
