"""The whole path on a real vLLM V1: what clients sent is what the server knows, whoever is killed meanwhile."""

import os
import signal
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import load
import verify
from client import Sent, send
from process import Engine, Server, memory_mb

CHAT = "/v1/chat/completions"
KINDS = len(load.KINDS)
RECORDER_MB_MAX = 80
SERVER_MB_MAX = 300


def chat(engine: Engine, **change: Any) -> Sent:
    """One chat request."""
    body = {"model": "tiny", "messages": [{"role": "user", "content": "kato miren solver"}], "max_tokens": 24}
    return send("127.0.0.1", engine.port, "chat", CHAT, body | change)


def test_every_request_of_a_varied_load_is_found_with_its_tree_counts_and_text(
    observed: Engine, server: Server
) -> None:
    sent = load.run(observed.port, "tiny", count=10 * KINDS, concurrency=8, seed=2)
    assert len({one.kind for one in sent}) == KINDS
    assert verify.compare(server.api, sent) == {}


def test_after_a_load_recorder_and_server_stay_within_their_memory(observed: Engine, server: Server) -> None:
    assert memory_mb(observed.recorder) <= RECORDER_MB_MAX
    assert memory_mb(server.pid) <= SERVER_MB_MAX


def test_greedy_output_is_identical_with_and_without_the_agent(observed: Engine, plain: Engine) -> None:
    assert load.greedy(observed.port) == load.greedy(plain.port)


def test_a_kill_of_the_recorder_under_load_changes_no_answer(observed: Engine, plain: Engine) -> None:
    expected = load.greedy(plain.port)
    first = observed.recorder
    timer = threading.Timer(0.5, os.kill, (first, signal.SIGKILL))
    timer.start()
    assert load.greedy(observed.port) == expected
    timer.join()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not _has_new_recorder(observed, first):
        time.sleep(0.2)
    assert _has_new_recorder(observed, first), "the recorder was not started again"


def _has_new_recorder(engine: Engine, first: int) -> bool:
    try:
        return engine.recorder != first
    except AssertionError:
        return False


def test_what_is_sent_after_a_kill_of_the_recorder_is_found(observed: Engine, server: Server) -> None:
    sent = load.run(observed.port, "tiny", count=KINDS, concurrency=4, seed=3)
    assert verify.compare(server.api, sent) == {}


def test_a_kill_of_the_server_under_load_changes_no_answer_and_loses_no_request(
    observed: Engine, plain: Engine, server: Server
) -> None:
    expected = load.greedy(plain.port)
    timer = threading.Timer(0.5, server.kill)
    timer.start()
    assert load.greedy(observed.port) == expected
    timer.join()
    sent = load.run(observed.port, "tiny", count=KINDS, concurrency=4, seed=4)
    server.start()
    assert verify.compare(server.api, sent) == {}


def test_series_agree_with_the_engines_own_counters(observed: Engine, server: Server) -> None:
    """Counters of the agent against vLLM's /metrics, both since the engine's start."""
    with urllib.request.urlopen(f"http://127.0.0.1:{observed.port}/metrics") as response:
        page = response.read().decode()
    pairs = {
        "gen_ai_vllm_prefix_cache_queries": "vllm:prefix_cache_queries_total",
        "gen_ai_vllm_prefix_cache_hits": "vllm:prefix_cache_hits_total",
    }
    time.sleep(4)  # two export intervals
    for ours, theirs in pairs.items():
        engine = sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(theirs))
        url = f"{server.api}/api/series?series=metric.{ours}:last&from=now-5m"
        values = [value for one in verify.get(url)["series"] for value in one["values"] if value is not None]
        assert values, f"{ours} never arrived"
        # The recorder was killed in between and counts anew, so ours may be less, and never more.
        assert 0 < values[-1] <= engine, f"{ours} {values[-1]} against {theirs} {engine}"


def test_a_kill_of_the_engine_closes_its_sixteen_streams_with_an_error_and_their_tokens(
    observed: Engine, server: Server
) -> None:
    """Last in this file: the engine does not come back."""
    api_server = observed.api_server
    with ThreadPoolExecutor(16) as pool:
        streams = [pool.submit(chat, observed, stream=True, max_tokens=1900, ignore_eos=True) for _ in range(16)]
        time.sleep(2.5)
        os.kill(api_server, signal.SIGKILL)
        sent = [stream.result() for stream in streams]
    for one in sent:
        assert one.chunks > 0, "the stream never began"
        found = verify.detail(server.api, one.trace_id, time.monotonic() + 15)
        assert found is not None, f"{one.trace_id} is not in the store"
        row = found["request"]
        assert row["status"] == "engine_died"
        assert row["error_type"] == "engine_died"
        assert row["output_tokens"] >= one.chunks - 1, f"the client saw {one.chunks} chunks, found {row}"
