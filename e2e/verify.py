"""Compare what was sent with what the server has: every request, its tree, its counts, its text.

verify.py --api http://127.0.0.1:4319 --sent sent.jsonl    prints a summary; exit code 0 only if all agree
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from client import Sent

WAIT_S = 30
"""How long after the load a request may take to be found: export, acknowledgement, and a busy machine."""


def get(url: str) -> Any:
    """A JSON document."""
    with urllib.request.urlopen(url, timeout=30) as response:
        return json.load(response)


def detail(api: str, trace_id: str, until: float) -> dict[str, Any] | None:
    """The request of a trace, once it is there."""
    while True:
        try:
            found: dict[str, Any] = get(f"{api}/api/requests/{trace_id}")
            return found
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
        if time.monotonic() > until:
            return None
        time.sleep(0.3)


def faults(sent: Sent, found: dict[str, Any]) -> list[str]:
    """What is wrong with the record of one request."""
    tree = Counter(span["stage"] for span in found["spans"])
    row = found["request"]
    wrong: list[str] = []

    def expect(what: str, want: object, have: object) -> None:
        if want != have:
            wrong.append(f"{what}: expected {want!r}, found {have!r}")

    expect("http spans", 1, tree["http"])
    expect("operation spans", 1, tree["operation"])
    expect("HTTP status", sent.status, row["http_status"])
    by_id = {span["span_id"]: span for span in found["spans"]}
    parents = {
        "operation": "http",
        "request": "operation",
        "wait": "request",
        "prefill": "request",
        "decode": "request",
    }
    for span in found["spans"]:
        if span["stage"] in parents:
            parent = by_id.get(span["parent_span_id"])
            expect(f"parent of {span['name']}", parents[span["stage"]], parent and parent["stage"])
            if parent and span["start_ms"] < parent["start_ms"] - 1:
                wrong.append(f"{span['name']} starts before {parent['name']}")
    if sent.status != 200:
        expect("status", "refused", row["status"])
        expect("llm_request spans", 0, tree["request"])
        return wrong
    if sent.aborted:
        # Now and then the HTTP server does not see that a client went away, and the engine answers to the end.
        unseen = row["finish_reasons"] == ["length"] and row["output_tokens"] == sent.body["max_tokens"]
        expect("status", "ok" if unseen else "aborted", row["status"])
    else:
        expect("status", "ok", row["status"])
    expect("llm_request spans", sent.choices, tree["request"])
    if tree["wait"] < sent.choices or tree["prefill"] < sent.choices:
        wrong.append(f"stages are missing: {dict(tree)}")
    if row["ttft_s"] is None or row["ttft_s"] <= 0:
        wrong.append("no time to first token")
    if not sent.aborted:
        wrong += _faults_of_answer(sent, found)
    return wrong


def _faults_of_answer(sent: Sent, found: dict[str, Any]) -> list[str]:
    row = found["request"]
    wrong: list[str] = []
    if sent.usage:
        for name, key in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
            if row[name] != sent.usage[key]:
                wrong.append(f"{name}: the engine answered {sent.usage[key]}, found {row[name]}")
    if row["finish_reasons"] != sent.finish_reasons:
        wrong.append(f"finish reasons: the engine answered {sent.finish_reasons}, found {row['finish_reasons']}")
    if row["response_id"] != sent.response_id:
        wrong.append(f"response id: the engine answered {sent.response_id}, found {row['response_id']}")
    texts = [
        "".join(part.get("content", "") for part in message["parts"] if part["type"] == "text")
        for message in found["messages"]["output"] or []
    ]
    if texts != sent.texts:
        wrong.append(f"text: the engine answered {sent.texts!r}, found {texts!r}")
    return wrong


def compare(api: str, sent: list[Sent]) -> dict[str, list[str]]:
    """Faults by trace id; a request that is not found is one."""
    until = time.monotonic() + WAIT_S
    wrong: dict[str, list[str]] = {}
    for one in sent:
        if one.error:
            wrong[one.trace_id] = [f"{one.kind}: no answer from the engine: {one.error}"]
            continue
        found = detail(api, one.trace_id, until)
        problems = ["not found"] if found is None else faults(one, found)
        if problems:
            wrong[one.trace_id] = [f"{one.kind}: {problem}" for problem in problems]
    return wrong


def summary(api: str, sent: list[Sent], wrong: dict[str, list[str]]) -> str:
    """A table a person can read."""
    status = get(f"{api}/api/status")
    lines = [f"{'kind':32} {'sent':>5} {'found and right':>16}"]
    right = Counter(one.kind for one in sent if one.trace_id not in wrong)
    for kind, count in Counter(one.kind for one in sent).items():
        lines.append(f"{kind:32} {count:5} {right[kind]:16}")
    lines.append(f"{'all':32} {len(sent):5} {sum(right.values()):16}")
    received = ", ".join(f"{count} {table}" for table, count in status["received"].items())
    lines.append(f"the server acknowledged {received}; refused: {status['refused'] or 'nothing'}")
    lines.append(f"the agent dropped: {dropped_by_agent(api) or 'nothing'}")
    return "\n".join(lines)


def dropped_by_agent(api: str) -> float:
    """How much the agents say they had to drop, from their own metric."""
    series = get(f"{api}/api/series?series=metric.tachograph.dropped:last&from=now-1h")["series"]
    values = [value for one in series for value in one["values"] if value is not None]
    return float(values[-1]) if values else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--api", default="http://127.0.0.1:4319")
    parser.add_argument("--sent", type=Path, required=True)
    args = parser.parse_args()
    sent = [Sent(**json.loads(line)) for line in args.sent.read_text().splitlines()]
    wrong = compare(args.api, sent)
    print(summary(args.api, sent, wrong))
    for trace_id, problems in list(wrong.items())[:20]:
        print(trace_id, *problems, sep="\n  ")
    sys.exit(1 if wrong or dropped_by_agent(args.api) else 0)


if __name__ == "__main__":
    main()
