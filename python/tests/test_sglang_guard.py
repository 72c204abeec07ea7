"""A fault in any hook of SGLang must not reach it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import FakeEngine, hooked_sglang
from stub_probe import StubProbe
from test_sglang_front import asked, generate, manager, tokenized
from test_sglang_scheduler import batch, req, scheduler

from tachograph.hook.guard import FAULT_INJECTION


def use_every_hook(engine: FakeEngine) -> list[Any]:
    """Call each wrapped function once and return what the engine's callers saw."""
    front, core = manager(engine), scheduler(engine)
    prefill = batch(req("a"), extend=[2])
    core.script = [prefill]
    seen = [
        generate(front, asked(tokenized(engine)), asked(tokenized(engine), batched=True)),
        asyncio.run(front._handle_batch_output(SimpleNamespace(rids=["r"]))),
        front.abort_request("r"),
        front._handle_abort_req(SimpleNamespace(rid="r")),
        core._add_request_to_queue(req("a")),
        core.get_next_batch_to_run().batch_to_run is prefill,
        core.run_batch(prefill).of is prefill,
        core.process_batch_result(prefill, SimpleNamespace()),
        core.send_abort_output(SimpleNamespace(finished_reason=None), req("a")),
        core.abort_request(SimpleNamespace(rid="a")),
        core.metrics_reporter.report_prefill_stats(None, SimpleNamespace(), False),
    ]
    assert front.calls == [
        "generate_request", "_send_one_request", "generate_request", "_send_batch_request", "_handle_batch_output",
        "abort_request", "_handle_abort_req",
    ]  # fmt: skip
    return [*seen, core.waiting_queue, core.output_streamer.sent]


def test_results_are_the_engines_own_while_every_hook_fails(
    sglang: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    healthy = use_every_hook(sglang)
    assert sglang.probe.named("fault") == []
    monkeypatch.setenv(FAULT_INJECTION, "all")
    broken = hooked_sglang(StubProbe(), monkeypatch, tmp_path)
    broken.table.ring.open("api_server")
    assert use_every_hook(broken) == healthy
    live = {name for name, state in broken.probe.states().items() if state == "live"}
    assert {call.args[0] for call in broken.probe.named("fault")} == live


@pytest.mark.parametrize("broken", ["sglang_step", "sglang_batch", "sglang_front", "sequence_add", "queued", "sample"])
def test_a_call_of_the_probe_that_fails_is_a_fault_and_no_more(sglang: FakeEngine, broken: str) -> None:
    sglang.probe.broken[broken] = ValueError(broken)
    assert use_every_hook(sglang)[-1] == [["a"]]
    assert sglang.probe.named("fault")
