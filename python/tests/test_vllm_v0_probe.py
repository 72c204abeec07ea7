"""What the extension makes of V0's sequence groups, in a process of its own: a process has one ring."""

from __future__ import annotations

from pathlib import Path

from test_probe import run

V0 = """
from vllm.sequence import SequenceGroup, SequenceStatus
from vllm.core.scheduler import ScheduledSequenceGroup
_probe.open(os.environ["TACHOGRAPH_RUNTIME_DIR"], 1 << 20, True, 1024)
a, b = SequenceGroup("a"), SequenceGroup("b")
groups = [ScheduledSequenceGroup(a, 7), ScheduledSequenceGroup(b, 1)]
def told():
    return [getattr(group, "_tachograph_told", None) for group in (a, b)]
def generate(group, *tokens):
    group.first_seq.data._output_token_ids.extend(tokens)
def outputs(only=None):
    before = _probe.counters()["produced"]
    _probe.v0_step_outputs(0, 1, groups, only)
    return [told(), _probe.counters()["produced"] - before]
def end(*said):
    print(json.dumps([*said, _probe.counters()["faults"]]))
"""


def test_the_prompt_tokens_of_a_step_are_those_of_its_leading_groups(tmp_path: Path) -> None:
    done = run(V0 + "end(*[_probe.v0_step(1, 0, 1, groups, n, 0, 2, 0, 0.5) for n in (0, 1, 2)])", tmp_path)
    assert done == [0, 7, 8, 0]


def test_an_output_is_told_once_by_how_much_longer_it_became(tmp_path: Path) -> None:
    done = run(V0 + "s = [outputs()]; generate(a, 5); s += [outputs()]; generate(a, 6, 7); generate(b, 1);"
               "s += [outputs(), outputs()]; end(*s)", tmp_path)  # fmt: skip
    assert done == [[[None, None], 0], [[1, None], 1], [[3, 1], 1], [[3, 1], 0], 0]


def test_only_the_request_that_is_asked_for_is_told(tmp_path: Path) -> None:
    assert run(V0 + "generate(a, 5); generate(b, 5); end(outputs('b'))", tmp_path) == [[[None, 1], 1], 0]


def test_after_its_end_nothing_more_is_told_of_a_sequence(tmp_path: Path) -> None:
    done = run(V0 + "generate(a, 5); a.first_seq.status = SequenceStatus.FINISHED_STOPPED;"
               "b.first_seq.status = SequenceStatus.FINISHED_LENGTH_CAPPED; s = [outputs()];"
               "generate(a, 6); end(*s, outputs())", tmp_path)  # fmt: skip
    assert done == [[[-1, -1], 1], [[-1, -1], 0], 0]


def test_tokens_of_an_aborted_sequence_reach_nobody_and_are_not_told(tmp_path: Path) -> None:
    done = run(V0 + "generate(a, 5); a.first_seq.status = SequenceStatus.FINISHED_ABORTED; end(outputs())", tmp_path)
    assert done == [[[None, None], 0], 0]


def test_groups_of_another_shape_are_a_fault_that_nobody_sees(tmp_path: Path) -> None:
    done = run(
        V0 + "groups = [object()]; end(_probe.v0_step(1, 0, 1, groups, 1, 0, 1, 0, 0.0), outputs()[1])", tmp_path
    )
    assert done == [0, 0, 2]
