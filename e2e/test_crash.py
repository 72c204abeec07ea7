"""What the server acknowledged survives kill -9."""

import random
import secrets
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import verify
from process import Server
from synthesize import export_request, post

KILLS = 10
PAUSE_S = 0.005
"""Between the exports of a writer: all that is acknowledged must fit one page of the list."""


def test_every_acknowledged_span_is_there_after_ten_kills_in_the_middle_of_ingest(
    agent: Path, artifacts: Path, tmp_path: Path
) -> None:
    server = Server(agent, tmp_path / "data", artifacts / "crash-server.log")
    rng = random.Random(5)
    acknowledged: list[str] = []
    for _ in range(KILLS):
        server.start()
        stop = threading.Event()
        writers = [threading.Thread(target=_write, args=(server, stop, acknowledged)) for _ in range(3)]
        for writer in writers:
            writer.start()
        time.sleep(rng.uniform(0.3, 1.5))
        server.kill()
        stop.set()
        for writer in writers:
            writer.join()
    server.start()
    try:
        assert len(acknowledged) > 20 * KILLS, "too few exports to say anything"
        page = verify.get(f"{server.api}/api/requests?from=now-1h&limit=10000&service=crash")
        assert page["total"] <= 10_000
        found = [row["trace_id"] for row in page["rows"]]
        assert set(acknowledged) - set(found) == set(), "acknowledged, but gone"
        assert len(found) == len(set(found)), "stored twice"
    finally:
        server.stop()


def _write(server: Server, stop: threading.Event, acknowledged: list[str]) -> None:
    while not stop.is_set():
        trace_id = secrets.token_hex(16)
        try:
            post(server.http, export_request("crash", [trace_id]))
        except (OSError, urllib.error.URLError):
            time.sleep(0.01)
            continue
        acknowledged.append(trace_id)
        time.sleep(PAUSE_S)


def test_a_malformed_export_is_refused_with_the_reason_and_counted(server: Server) -> None:
    before = verify.get(f"{server.api}/api/status")["refused"]
    request = urllib.request.Request(
        f"{server.http}/v1/traces", b"\xff\xff not protobuf", {"Content-Type": "application/x-protobuf"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 400
    assert refused.value.read(), "no reason given"
    after = verify.get(f"{server.api}/api/status")["refused"]
    assert sum(after.values()) == sum(before.values()) + 1
