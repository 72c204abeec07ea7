"""The host comes first: whatever happens to the agent, a real vLLM answers as without it, and nothing is left behind.

Two engines of its own: `broken`, in which every hook fails, and `guest`, whose version nobody knows and whose rings are
too small.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

import load
from client import Sent, send
from conftest import place
from process import Engine, Server, descendants, processes
from sink import Sink, attributes

CHAT = "/v1/chat/completions"
CONTROL_S = 10
"""How long a switch, an export or an end may take: far above what it does."""
STANDSTILL_S = 30
OPEN, OPEN_S = 4, 0.5
"""Long requests that are open by then, and share the engine: by far not at their end when the switch is turned."""
ABORTS = 14
"""More than the faults after which a hook is taken out."""
STREAMS = 8
THROUGHPUT_RATIO_MIN = 0.7
SMALL_RING_BYTES = 65_536
UNKNOWN_VERSION = "99.0.0"
EXIT_CODE = 0
"""Of vLLM 0.32 after SIGTERM and after SIGINT, without the agent."""

HOOKS_CALLED_OFTEN = {
    "fastapi.applications.FastAPI.build_middleware_stack",
    "vllm.v1.engine.output_processor.OutputProcessor.add_request",
    "vllm.v1.engine.output_processor.OutputProcessor.process_outputs",
    "vllm.v1.engine.output_processor.OutputProcessor.abort_requests",
    "vllm.v1.core.sched.scheduler.Scheduler.add_request",
    "vllm.v1.core.sched.scheduler.Scheduler.schedule",
    "vllm.v1.core.sched.scheduler.Scheduler.update_from_output",
    "vllm.v1.core.sched.scheduler.Scheduler.finish_requests",
}
"""Those that a load calls more than ten times; constructors and preemptions are not."""

ANOTHER_VERSION = f'''
import importlib.machinery, sys

class Changed:
    """vLLM as a version that we do not know: another number, and one function less."""

    def find_spec(self, name, path=None, target=None):
        if name not in ("vllm", "vllm.v1.core.sched.scheduler"):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        execute = spec.loader.exec_module
        def changed(module):
            execute(module)
            if name == "vllm":
                module.__version__ = "{UNKNOWN_VERSION}"
            else:
                del module.Scheduler._preempt_request
        spec.loader.exec_module = changed
        return spec

sys.meta_path.insert(0, Changed())
'''


def chat(engine: Engine, **change: Any) -> Sent:
    """One chat request."""
    body = {"model": "tiny", "messages": [{"role": "user", "content": "kato miren solver"}], "max_tokens": 24}
    return send("127.0.0.1", engine.port, "chat", CHAT, body | change)


def eventually(what: str, is_so: Callable[[], Any]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + CONTROL_S
    while not is_so():
        assert time.monotonic() < until, f"in vain waited for {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    """A runtime directory of this file's own, in memory."""
    base = Path(f"/dev/shm/tachograph-test-{os.getpid()}")
    yield base
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="module")
def broken(agent: Path, artifacts: Path, server: Server) -> Iterator[Engine]:
    """vLLM under an agent of which every hook fails."""
    settings = {"TACHOGRAPH_TEST_FAULT": "all"}
    log = artifacts / "vllm-broken.log"
    log.unlink(missing_ok=True)
    engine = Engine(place("VLLM"), place("MODEL"), log, agent=agent, endpoint=server.grpc, settings=settings)
    engine.start()
    try:
        engine.wait_ready()
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def sink(sink_port: int) -> Iterator[Sink]:
    """Where `guest` exports to."""
    sink = Sink(sink_port)
    yield sink
    sink.stop()


@pytest.fixture(scope="module")
def guest(
    agent: Path, artifacts: Path, sink: Sink, sink_port: int, base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """vLLM of an unknown version, with rings that are too small."""
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(ANOTHER_VERSION)
    settings = {
        "PYTHONPATH": str(site),
        "TACHOGRAPH_RUNTIME_DIR": str(base),
        "TACHOGRAPH_RING_BYTES": str(SMALL_RING_BYTES),
    }
    endpoint = f"http://127.0.0.1:{sink_port}"
    log = artifacts / "vllm-guest.log"
    engine = Engine(place("VLLM"), place("MODEL"), log, agent=agent, endpoint=endpoint, settings=settings)
    engine.start()
    try:
        engine.wait_ready()
        yield engine
    finally:
        engine.stop()


def tachograph(agent: Path, base: Path, *arguments: str) -> str:
    """What the program prints."""
    environment = {**os.environ, "TACHOGRAPH_RUNTIME_DIR": str(base)}
    command = [str(agent / "tachograph"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60).stdout


def launch(agent: Path, base: Path) -> Any:
    """What doctor knows of the launch."""
    (found,) = json.loads(tachograph(agent, base, "doctor", "--json"))["launches"]
    return found


def produced(agent: Path, base: Path) -> int:
    """Records of all rings of the launch."""
    return sum(ring["produced"] for ring in launch(agent, base)["rings"])


def end(engine: Engine, number: int) -> int | None:
    """Send a signal to the launcher as a user does; its exit code, once all of its processes are gone."""
    family = [engine.pid, *descendants(engine.pid)]
    assert engine.child is not None
    engine.child.send_signal(number)
    code = engine.child.wait(60)
    eventually(f"the end of {family}", lambda: not set(family) & set(processes()))
    return code


def test_an_engine_of_which_every_hook_fails_gives_the_same_answers(broken: Engine, plain: Engine) -> None:
    assert load.greedy(broken.port) == load.greedy(plain.port)


def test_every_hook_that_goes_on_failing_is_taken_out_with_one_line(broken: Engine) -> None:
    for _ in range(ABORTS):
        send("127.0.0.1", broken.port, "abort", CHAT, _long_stream(), abort_after=2)

    def removed() -> Counter[str]:
        lines = broken.log.read_text(errors="replace").splitlines()
        said = [line for line in lines if "tachograph[" in line and "is no longer observed" in line]
        return Counter(line.partition("tachograph[")[2].partition("]: ")[2].split()[0] for line in said)

    eventually("every hook to be taken out", lambda: set(removed()) >= HOOKS_CALLED_OFTEN)
    assert set(removed().values()) == {1}
    assert chat(broken).status == 200


def test_sigterm_reaches_the_engine_which_ends_as_without_us(broken: Engine) -> None:
    assert end(broken, signal.SIGTERM) == EXIT_CODE


def test_of_an_unknown_version_what_is_there_is_observed_and_what_is_not_is_said(
    guest: Engine, agent: Path, base: Path, plain: Engine, sink: Sink
) -> None:
    assert load.greedy(guest.port) == load.greedy(plain.port)
    found = launch(agent, base)
    assert found["status"]["engine"] == {"name": "vllm", "version": UNKNOWN_VERSION, "generation": "v1"}
    assert [problem for problem in found["problems"] if problem.startswith("not observed")] == [
        "not observed: preemptions"
    ]
    seen = chat(guest)
    eventually("a whole request", lambda: whole(sink, seen))


def test_switched_off_at_run_time_it_records_nothing_and_switched_on_again_whole_requests(
    guest: Engine, agent: Path, base: Path, sink: Sink
) -> None:
    with ThreadPoolExecutor(OPEN) as pool:
        open_ones = [pool.submit(send, "127.0.0.1", guest.port, "open", CHAT, _long_stream()) for _ in range(OPEN)]
        time.sleep(OPEN_S)
        assert "recording is off" in tachograph(agent, base, "control", "off")
        eventually("the switch", lambda: not launch(agent, base)["status"]["enabled"])
        silent = produced(agent, base)
        unseen = [chat(guest) for _ in range(3)]
        assert produced(agent, base) == silent
        cut = [one.result() for one in open_ones]
    assert {one.status for one in (*cut, *unseen)} == {200}
    assert not any(one.error for one in cut)
    eventually("what was open to be told", lambda: all(spans(sink, one) for one in cut))
    told = {attributes(span.attributes).get("error.type") for one in cut for span in spans(sink, one) if span.kind == 2}
    assert told == {"unobserved"}
    assert "recording is on" in tachograph(agent, base, "control", "on")
    eventually("the switch", lambda: launch(agent, base)["status"]["enabled"])
    seen = chat(guest)
    eventually("a whole request", lambda: whole(sink, seen))
    assert not any(spans(sink, one) for one in unseen)
    assert produced(agent, base) > silent


def test_a_recorder_that_stands_still_costs_records_and_not_throughput(
    guest: Engine, agent: Path, base: Path, sink: Sink
) -> None:
    stop, tokens = threading.Event(), Counter[int]()

    def stream(worker: int) -> None:
        while not stop.is_set():
            one = chat(guest, max_tokens=64, ignore_eos=True)
            assert one.usage, one.error
            tokens[worker] += one.usage["completion_tokens"]

    def rate(seconds: float) -> float:
        before, start = tokens.total(), time.monotonic()
        time.sleep(seconds)
        return (tokens.total() - before) / (time.monotonic() - start)

    with ThreadPoolExecutor(STREAMS) as pool:
        workers = [pool.submit(stream, worker) for worker in range(STREAMS)]
        try:
            rate(3)
            recorder, normal = guest.recorder, rate(STANDSTILL_S / 2)
            os.kill(recorder, signal.SIGSTOP)
            alone = rate(STANDSTILL_S)
        finally:
            os.kill(recorder, signal.SIGCONT)
            stop.set()
        for worker in workers:
            worker.result()
    assert alone >= THROUGHPUT_RATIO_MIN * normal, f"{alone:.0f} tokens/s, before {normal:.0f}"
    assert guest.recorder == recorder, "it was not replaced"

    def read_to_the_end() -> bool:
        rings = launch(agent, base)["rings"]
        return all(ring["used_bytes"] == 0 for ring in rings)

    eventually("the rings to be read", read_to_the_end)
    rings = launch(agent, base)["rings"]
    assert sum(ring["lost"] for ring in rings) > 0
    for ring in rings:
        assert ring["produced"] == ring["read"] + ring["lost"], ring
    eventually("the recorder's own counts", lambda: balanced(sink, sum(ring["produced"] for ring in rings)))


def test_sigint_reaches_the_engine_and_nothing_is_left_behind(guest: Engine, base: Path) -> None:
    code = end(guest, signal.SIGINT)
    assert code == EXIT_CODE
    assert list(base.iterdir()) == [], "a runtime directory that the user chose stays, empty"


def test_turned_off_by_the_environment_the_command_runs_in_our_place(agent: Path) -> None:
    code = "import os, sys; print(os.getpid(), os.environ.get('PYTHONPATH'), 'tachograph' in sys.modules)"
    python = place("VLLM").parent / "python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(agent / "tachograph-instrument"), str(python), "-c", code]
    child = subprocess.Popen(
        command, env=environment | {"TACHOGRAPH_ENABLED": "false"}, stdout=subprocess.PIPE, text=True
    )
    out, _ = child.communicate(timeout=60)
    assert out.split() == [str(child.pid), "None", "False"]


def _long_stream() -> dict[str, Any]:
    message = {"role": "user", "content": "kato"}
    return {"model": "tiny", "messages": [message], "max_tokens": 1900, "ignore_eos": True, "stream": True}


def spans(sink: Sink, sent: Sent) -> list[Any]:
    """What arrived of a request."""
    return [span for _, _, span in sink.spans() if span.trace_id.hex() == sent.trace_id]


def whole(sink: Sink, sent: Sent) -> bool:
    """Whether a request arrived with its whole tree, without an error."""
    found = spans(sink, sent)
    names = {span.name.split()[0] for span in found}
    errors = [span for span in found if "error.type" in attributes(span.attributes)]
    return names >= {"POST", "chat", "llm_request", "wait", "prefill", "decode"} and not errors


def balanced(sink: Sink, produced: int) -> bool:
    """Whether the recorder's last report has every record that the rings have: read, or dropped since one was full."""
    metrics = sink.last_metrics()
    records = by(metrics["tachograph.records"], "tachograph.state")
    dropped = [(attributes(point.attributes), point.as_int) for point in metrics["tachograph.dropped"].sum.data_points]
    lost = sum(n for labels, n in dropped if labels["tachograph.unit"] == "records")
    assert records["produced"] <= produced, "the engine is idle"
    return records["produced"] == produced == records["read"] + lost


def by(metric: Metric, label: str) -> dict[str, int]:
    """Values of a counter by one of its attributes."""
    return {attributes(point.attributes)[label]: point.as_int for point in metric.sum.data_points}
