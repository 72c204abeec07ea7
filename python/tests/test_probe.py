"""Hooks and extension together, each time in a process of its own: a process has one ring."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ENGINE

from tachograph.launch import INJECT

PRELUDE = """
import asyncio, json, os, sys
sys.path.insert(0, os.environ["TESTS"])
from types import SimpleNamespace
import vllm
from fastapi.applications import FastAPI
from vllm.v1.core.sched.scheduler import RequestStatus, Scheduler, SchedulerOutput
from vllm.v1.engine.async_llm import AsyncLLM
from conftest import config
from test_asgi import App, Client, scope
from test_vllm_v1_front import request
from tachograph import _probe
"""


@pytest.fixture
def runtime_dir(tmp_path: Path) -> Path:
    place = tmp_path / "run"
    place.mkdir()
    return place


def run(code: str, runtime_dir: Path, **environ: str) -> Any:
    """Run code in an injected process beside the fake engine; what it prints is JSON."""
    done = process(code, runtime_dir, **environ)
    assert done.stderr == ""
    return json.loads(done.stdout)


def process(code: str, runtime_dir: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    injected = {
        "TESTS": os.path.dirname(__file__),
        "PYTHONPATH": os.pathsep.join([INJECT, str(ENGINE)]),
        "TACHOGRAPH_RUNTIME_DIR": str(runtime_dir),
        "PATH": os.environ["PATH"],
    }
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + code], env={**injected, **environ}, capture_output=True, text=True, timeout=60
    )


def rings(runtime_dir: Path) -> list[Path]:
    return [path for path in runtime_dir.iterdir() if path.is_file()]


ONE_REQUEST = """
def serve(headers):
    client, app = Client(), App()
    request = {**scope(), "headers": headers}
    asyncio.run(FastAPI(app)(request, client.receive, client.send))
    return client.sent
def decode(messages):
    return [{k: v.decode() if isinstance(v, bytes) else v for k, v in m.items() if k != "headers"} for m in messages]
"""


def test_a_process_has_one_ring_that_only_its_owner_may_read(runtime_dir: Path) -> None:
    before = run("print(json.dumps(_probe.is_open()))", runtime_dir)
    assert before is False
    assert rings(runtime_dir) == []
    engine = run(
        "AsyncLLM(config(), None, True); print(json.dumps([_probe.is_open(), _probe.counters()]))", runtime_dir
    )
    assert engine[0] is True
    assert (engine[1]["lost"], engine[1]["faults"]) == (0, 0)
    # The process, the hooks of the modules imported here, and those of the generation that does not run here.
    assert engine[1]["produced"] == 1 + 12 + 18
    (ring,) = rings(runtime_dir)
    assert ring.stat().st_mode & 0o777 == 0o600
    assert b"vllm.v1.engine.output_processor.OutputProcessor.add_request" in ring.read_bytes()


def test_the_response_carries_traceresponse_and_is_otherwise_unchanged(runtime_dir: Path) -> None:
    sent = run(
        ONE_REQUEST
        + """
parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
given, absent = serve([(b"traceparent", parent.encode())]), serve([])
names = [[[k.decode(), v.decode()] for k, v in sent[0]["headers"]] for sent in (given, absent)]
print(json.dumps([names, decode(given), decode(absent)]))
""",
        runtime_dir,
    )
    (given, absent), given_body, absent_body = sent
    assert given[0] == absent[0] == ["content-type", "text/event-stream"]
    assert given[1][0] == absent[1][0] == "traceresponse"
    assert given[1][1].split("-")[1] == "0af7651916cd43dd8448eb211c80319c"
    assert given[1][1].split("-")[2] != "b7ad6b7169203331"
    version, trace_id, span_id, flags = absent[1][1].split("-")
    assert (version, len(trace_id), len(span_id), flags) == ("00", 32, 16, "01")
    expected = [
        {"type": "http.response.start", "status": 200},
        {"type": "http.response.body", "body": "data: 1\n\n", "more_body": True},
        {"type": "http.response.body", "body": "", "more_body": False},
    ]
    assert given_body == absent_body == expected


@pytest.mark.parametrize(("content", "kept"), [("true", True), ("false", False)])
def test_bodies_are_in_the_ring_only_when_content_is_on(runtime_dir: Path, content: str, kept: bool) -> None:
    run(
        ONE_REQUEST + "serve([]); AsyncLLM(config(), None, True).output_processor.add_request(request(), 'prompt');"
        "print(json.dumps(_probe.counters()))",
        runtime_dir,
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=content,
    )
    (ring,) = rings(runtime_dir)
    assert (b"data: 1\n\n" in ring.read_bytes()) is kept
    assert (b"END" in ring.read_bytes()) is kept
    assert b"chatcmpl-a-1234" in ring.read_bytes()


def test_every_hook_of_the_engine_core_writes_a_record(runtime_dir: Path) -> None:
    counts = run(
        """
counts = []
def count():
    counts.append(_probe.counters()["produced"])
scheduler = Scheduler(config(), None, None, 16)
count()
sequence = SimpleNamespace(request_id="a-1", is_finished=lambda: False)
scheduler.add_request(sequence)
count()
scheduler.running.append(sequence)
scheduler.script = [SchedulerOutput({"a-1": 3}), SchedulerOutput({}), SchedulerOutput({})]
output = scheduler.schedule()
count()
token = SimpleNamespace(request_id="a-1", new_token_ids=[5], finish_reason=None, prefill_stats=None)
scheduler.update_from_output(output, {0: SimpleNamespace(outputs=[token], scheduler_stats=None)})
count()
scheduler._preempt_request(sequence, 1.0)
count()
scheduler.finish_requests(["a-1"], RequestStatus.FINISHED_ABORTED)
count()
print(json.dumps([counts, _probe.counters()["faults"]]))
""",
        runtime_dir,
    )
    produced, faults = counts
    assert [after - before for before, after in zip(produced, produced[1:])] == [1, 1, 1, 1, 1]
    assert faults == 0


def test_a_forked_child_writes_into_a_ring_of_its_own(runtime_dir: Path) -> None:
    run(
        """
AsyncLLM(config(), None, True)
pid = os.fork()
if pid == 0:
    Scheduler(config(), None, None, 16)
    os._exit(0 if _probe.is_open() else 1)
print(json.dumps(os.waitpid(pid, 0)[1]))
""",
        runtime_dir,
    )
    assert len(rings(runtime_dir)) == 2


def test_a_runtime_directory_that_is_gone_leaves_the_engine_alone(tmp_path: Path) -> None:
    done = process(ONE_REQUEST + "print(json.dumps(decode(serve([]))[0]['status']))", tmp_path / "gone")
    assert done.stdout == "200\n"
    (line,) = done.stderr.splitlines()
    assert "this api_server process is not observed, the engine runs on" in line
