"""The offline launch: a program of the user's that runs the engine as a library, under the agent."""

import json
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from client import Sent
from engine.recipe import MODEL_NAME
from matrix.case import Case, Exchange
from matrix.launch import Start
from matrix.observer import Observer
from matrix.told import COMPLETION, told
from process import ENGINE_START_S, EngineProcess
from sink import attributes


def case(start: Start, process: EngineProcess, observer: Observer) -> Case:
    """The program from its start to its end, and what was reported of it."""
    process.start()
    assert process.child is not None
    try:
        code = process.child.wait(ENGINE_START_S)
    except subprocess.TimeoutExpired:
        code = None
    facts = printed(process.log)
    if code != 0 or facts is None:
        raise AssertionError(f"the program ended with {code}:\n{process.log.read_text()[-4000:]}")
    traces: dict[bytes, list[Span]] = defaultdict(list)
    for _, _, span in observer.sink.spans():
        traces[span.trace_id].append(span)
    exchanges = []
    for answer in facts["answers"]:
        sent = as_sent(facts, answer)
        mine = [spans for spans in traces.values() if tokens(spans) == answer["completion_tokens"]]
        exchanges.append(Exchange(sent, told(sent), mine[0] if len(mine) == 1 else []))
    [scenario] = start.scenarios
    reports = [observer.reported(index, index + 1) for index in range(observer.exports)]
    return Case(
        start.recipe, start.launch, scenario, exchanges, after=observer.reported(0, len(reports)), during=reports
    )


def printed(log: Path) -> dict[str, Any] | None:
    """What the program printed among what the engine logged."""
    for line in log.read_text().splitlines():
        if line.startswith('{"started_unix_ns"'):
            found: dict[str, Any] = json.loads(line)
            return found
    return None


def tokens(spans: list[Span]) -> int:
    """Generated tokens of a trace: what tells the requests of the program apart."""
    requests = [span for span in spans if span.name == "llm_request"]
    return sum(attributes(span.attributes).get("gen_ai.usage.output_tokens", 0) for span in requests)


def as_sent(facts: dict[str, Any], answer: dict[str, Any]) -> Sent:
    """A prompt of the program, as a request that nobody sent. Its text passes no HTTP server, so none is expected."""
    return Sent(
        kind="offline",
        trace_id="",
        path=COMPLETION,
        body={"model": MODEL_NAME, "max_tokens": answer["max_tokens"], "seed": answer["seed"]},
        status=200,
        finish_reasons=[answer["finish_reason"]],
        usage={name: answer[name] for name in ("prompt_tokens", "completion_tokens")},
        seconds=facts["seconds"],
        started_unix_ns=facts["started_unix_ns"],
    )
