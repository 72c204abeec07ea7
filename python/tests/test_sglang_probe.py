"""What the extension makes of SGLang's requests and output batches, in a process of its own: a process has one ring."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_probe import run

SGLANG = """
from types import SimpleNamespace as S
_probe.open(os.environ["TACHOGRAPH_RUNTIME_DIR"], 1 << 20, True, 1024)
def reason(kind):
    return S(to_json=lambda: {"type": kind})
def req(rid, *ids, **more):
    return S(**{"rid": rid, "output_ids": list(ids), "finished_reason": None, "origin_input_ids": [1] * 9, **more})
def written(call, *args, **kwargs):
    before = _probe.counters()["produced"]
    call(*args, **kwargs)
    return _probe.counters()["produced"] - before
def step(**changed):
    return written(_probe.sglang_step, **{**dict(start_ns=1, schedule_ns=2, engine_index=0, step=1, reqs=[req("a")],
                   tokens=[7], running=1, waiting=0, deferred=0, kv_usage=0.5), **changed})
def end(*said):
    print(json.dumps([*said, _probe.counters()["faults"]]))
"""


def test_a_step_is_one_record_whether_it_extends_or_decodes(tmp_path: Path) -> None:
    assert run(SGLANG + "end(step(), step(tokens=None), step(reqs=(), tokens=[]))", tmp_path) == [1, 1, 1, 0]


def test_without_a_ring_nothing_is_kept_of_a_batch(tmp_path: Path) -> None:
    code = "_probe.close_after_fork(); end(_probe.sglang_batch([req('a')]), step())"
    assert run(SGLANG + code, tmp_path) == [None, 0, 0]


@pytest.mark.parametrize(
    ("before", "processed", "records"),
    [
        ("req('a')", "a.output_ids.append(1)", 1),
        ("req('a', 1, 2)", "a.output_ids.extend([3, 4])", 1),
        ("req('a', 1)", "a.finished_reason = reason('abort')", 1),
        # A chunk of a prompt brings no token.
        ("req('a')", "a.cached_tokens = 4", 0),
        # Overlap scheduling runs what has ended once more.
        ("req('a', 1, finished_reason=reason('stop'))", "a.output_ids.append(2)", 0),
        ("req('HEALTH_CHECK_1')", "a.output_ids.append(1)", 0),
    ],
)
def test_a_batch_is_told_by_what_its_requests_got(tmp_path: Path, before: str, processed: str, records: int) -> None:
    code = f"a = {before}; batch = _probe.sglang_batch([a]); {processed}; end(written(batch.outputs, 0, 1, True))"
    assert run(SGLANG + code, tmp_path) == [records, 0]


@pytest.mark.parametrize(
    ("state", "reason", "records"),
    [
        ("S(time_stats=S(first_token_time=0.0))", "None", 1),
        ("S(time_stats=S(first_token_time=2.5))", "None", 0),
        ("S(first_token_time=0.0)", "None", 1),
        ("S(first_token_time=2.5)", "None", 0),
        ("S(first_token_time=2.5)", "{'type': 'length', 'length': 8}", 1),
    ],
)
def test_the_front_tells_first_outputs_and_ends_only(tmp_path: Path, state: str, reason: str, records: int) -> None:
    code = f"batch = S(rids=['a', 'gone'], finished_reasons=[{reason}, {{'type': 'stop'}}]);"
    code += f"end(written(_probe.sglang_front, batch, {{'a': {state}}}))"
    assert run(SGLANG + code, tmp_path) == [records, 0]


def test_an_abort_is_told_with_and_without_a_reason(tmp_path: Path) -> None:
    tell = "written(_probe.sglang_front_abort"
    code = f"end({tell}, 'a', None), {tell}, 'a', {{'type': 'abort'}}), {tell}, 'HEALTH_CHECK', None))"
    assert run(SGLANG + code, tmp_path) == [1, 1, 0, 0]


def test_objects_of_another_shape_are_a_fault_that_nobody_sees(tmp_path: Path) -> None:
    code = "end(step(reqs=3), _probe.sglang_batch(None), written(_probe.sglang_front, S(), {}))"
    assert run(SGLANG + code, tmp_path) == [0, None, 0, 3]
