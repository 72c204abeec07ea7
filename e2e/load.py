"""A varied load: what clients of a chat service really do, the failures included.

load.py --port 8101 --model tiny --requests 240 --out sent.jsonl    a bounded load, each request written down
load.py --port 8101 --model tiny --forever                          a gentle load until it is stopped
"""

import argparse
import dataclasses
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from client import Sent, prompt, send

CHAT = "/v1/chat/completions"
COMPLETION = "/v1/completions"
PAUSE_S = 0.4
"""Between the requests of one worker of an endless load."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """One way to ask."""

    path: str
    change: Callable[[random.Random], dict[str, Any]]
    abort_after: int | None = None


KINDS: dict[str, Kind] = {
    "chat stream": Kind(CHAT, lambda r: {"stream": True, "stream_options": {"include_usage": True}}),
    "chat": Kind(CHAT, lambda r: {}),
    "completion stream": Kind(COMPLETION, lambda r: {"stream": True, "stream_options": {"include_usage": True}}),
    "completion": Kind(COMPLETION, lambda r: {}),
    "chat n=2": Kind(CHAT, lambda r: {"n": 2}),
    "chat n=2 stream": Kind(CHAT, lambda r: {"n": 2, "stream": True, "stream_options": {"include_usage": True}}),
    "chat stream, no usage asked": Kind(CHAT, lambda r: {"stream": True}),
    "chat, stop string": Kind(CHAT, lambda r: {"stop": ["e"], "ignore_eos": False}),
    "chat, long prompt": Kind(CHAT, lambda r: {"stream": True, "words": r.randint(200, 500), "max_tokens": 8}),
    "aborted by the client": Kind(CHAT, lambda r: {"stream": True, "max_tokens": 1800}, abort_after=4),
    "refused, bad parameter": Kind(CHAT, lambda r: {"temperature": -1}),
    "refused, unknown model": Kind(CHAT, lambda r: {"model": "no-such-model"}),
}


def body(kind: Kind, rng: random.Random, model: str) -> dict[str, Any]:
    """The JSON body of one request."""
    request: dict[str, Any] = {
        "model": model,
        "max_tokens": rng.randint(8, 48),
        "temperature": round(rng.uniform(0.2, 1.2), 2),
        "seed": rng.randint(0, 1 << 30),
        "ignore_eos": True,
    }
    request |= kind.change(rng)
    text = prompt(rng, request.pop("words", rng.randint(6, 60)))
    if kind.path == CHAT:
        system = {"role": "system", "content": "You answer with words that do not exist."}
        user = {"role": "user", "content": text}
        request["messages"] = [system, user] if rng.random() < 0.5 else [user]
    else:
        request["prompt"] = text
    return request


def requests(model: str, seed: int) -> Iterator[tuple[str, Kind, dict[str, Any]]]:
    """Requests without end, all kinds in turn."""
    rng = random.Random(seed)
    while True:
        for name, kind in KINDS.items():
            yield name, kind, body(kind, rng, model)


def run(port: int, model: str, count: int, concurrency: int, seed: int) -> list[Sent]:
    """Send `count` requests and return them with their answers."""
    todo = requests(model, seed)
    jobs = [next(todo) for _ in range(count)]
    with ThreadPoolExecutor(concurrency) as pool:
        return list(
            pool.map(lambda job: send("127.0.0.1", port, job[0], job[1].path, job[2], job[1].abort_after), jobs)
        )


def greedy(port: int) -> list[tuple[int, list[str], list[str]]]:
    """Answers to a fixed set of greedy requests, one at a time, so that batches are the same."""
    answers = []
    for index, (kind, request) in enumerate(_fixed()):
        sent = send("127.0.0.1", port, kind.path, kind.path, request)
        assert not sent.error, f"request {index}: {sent.error}"
        answers.append((sent.status, sent.texts, sent.finish_reasons))
    return answers


def _fixed() -> list[tuple[Kind, dict[str, Any]]]:
    """One greedy request of each kind that has a whole answer."""
    todo = requests("tiny", seed=99)
    picked = [next(todo) for _ in range(2 * len(KINDS))]
    return [
        (kind, request if request.get("temperature") == -1 else request | {"temperature": 0})
        for _, kind, request in picked
        if kind.abort_after is None
    ]


def run_forever(port: int, model: str, concurrency: int) -> None:
    """A gentle load until the process is stopped."""

    def worker(seed: int) -> None:
        for name, kind, request in requests(model, seed):
            send("127.0.0.1", port, name, kind.path, request, kind.abort_after)
            time.sleep(PAUSE_S)

    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(worker, range(concurrency)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--requests", type=int, default=240)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON lines: each request with its answer")
    parser.add_argument("--forever", action="store_true")
    args = parser.parse_args()
    if args.forever:
        try:
            run_forever(args.port, args.model, args.concurrency)
        except KeyboardInterrupt:
            sys.exit(0)
    sent = run(args.port, args.model, args.requests, args.concurrency, args.seed)
    if args.out:
        args.out.write_text("".join(json.dumps(dataclasses.asdict(one)) + "\n" for one in sent))
    print(json.dumps(Counter(f"{one.kind}: {one.error or one.status}" for one in sent), indent=1))


if __name__ == "__main__":
    main()
