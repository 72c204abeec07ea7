"""What the extension makes of the outputs of every V1 release, in a process of its own: a process has one ring."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_probe import process, run

V1 = """
from types import SimpleNamespace as S
_probe.open(os.environ["TACHOGRAPH_RUNTIME_DIR"], 1 << 20, True, 1024)
def output(tokens=1, finish_reason=None, **layout):
    return S(request_id="a", new_token_ids=[7] * tokens, finish_reason=finish_reason, **layout)
def old(*events, **said):
    return output(**{"events": list(events) or None, "num_cached_tokens": 0, **said})
def new(cached=None, **said):
    return output(prefill_stats=None if cached is None else S(num_cached_tokens=cached), **said)
def written(call, *args):
    before = _probe.counters()["produced"]
    call(*args)
    return _probe.counters()["produced"] - before
def end(*said):
    print(json.dumps([*said, _probe.counters()["faults"]]))
"""
MANY = 12_345
"""A number that is unlikely to be in a ring by chance."""
MANY_ENCODED = b"\xb9\x60"


def step_output(tmp_path: Path, output: str) -> bytes:
    """The ring after a step with that output alone."""
    done = process(V1 + f"_probe.step_outputs(0, 1, {{0: S(outputs=[{output}], scheduler_stats=None)}})", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (ring,) = (path for path in tmp_path.iterdir() if path.is_file())
    return ring.read_bytes()


@pytest.mark.parametrize("output", [f"old(num_cached_tokens={MANY})", f"new({MANY})"])
def test_cached_tokens_are_read_where_each_version_has_them(tmp_path: Path, output: str) -> None:
    # One token, some cached tokens, no finish reason.
    assert b"\x01\x01" + MANY_ENCODED + b"\x00" in step_output(tmp_path, output)


@pytest.mark.parametrize("output", [f"old(tokens={MANY}, num_cached_tokens=-1)", f"new(tokens={MANY})"])
def test_cached_tokens_are_absent_where_the_engine_does_not_know_them(tmp_path: Path, output: str) -> None:
    assert MANY_ENCODED + b"\x00\x00" in step_output(tmp_path, output)


@pytest.mark.parametrize(
    ("output", "records"),
    [
        ("new(0)", 1),
        ("new()", 0),
        ("new(finish_reason=0)", 1),
        ("old(S(type=1, timestamp=1.0), S(type=2, timestamp=2.0))", 1),
        ("old(S(type=3, timestamp=1.0))", 0),
        ("old()", 0),
        ("old(finish_reason=1)", 1),
    ],
)
def test_the_front_tells_first_outputs_and_ends_of_every_version(tmp_path: Path, output: str, records: int) -> None:
    assert run(V1 + f"end(written(_probe.front_outputs, [{output}], []))", tmp_path) == [records, 0]
