"""What the agent costs: two servers of one engine, with and without it, loaded in turn.

overhead.py --plain PORT:PID --observed PORT:PID --pairs 12

PID is the root of each server's process tree. The CPU of every process is read from /proc before and after each
round, so that other work on the machine does not count. Printed are the medians and quartiles of the ratios pair by
pair; the roles of first and second alternate.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

import random

from client import Sent, prompt, send

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MAX_TOKENS = 64
PROMPT_WORDS = 24

NAMES = {
    "VLLM::EngineCor": "EngineCore",
    "VLLM::Worker": "Worker",
    "vllm": "API server",
    "tachograph": "agent",
    "exe": "agent",
}
"""Process names (the kernel cuts them at 15 characters) and what they are called in the report.

The supervisor starts the recorder as /proc/self/exe."""


def tree_cpu(root: int) -> dict[str, float]:
    """CPU seconds used so far by each kind of process in a tree."""
    children: dict[int, list[int]] = {}
    facts: dict[int, tuple[str, float]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        comm, rest = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
        children.setdefault(int(rest[1]), []).append(int(entry.name))
        facts[int(entry.name)] = (comm, (int(rest[11]) + int(rest[12])) / TICKS_PER_SECOND)
    used: dict[str, float] = {}
    todo = [root]
    while todo:
        pid = todo.pop()
        comm, seconds = facts.get(pid, ("", 0.0))
        name = next((label for prefix, label in NAMES.items() if comm.startswith(prefix)), "other")
        used[name] = used.get(name, 0.0) + seconds
        todo += children.get(pid, [])
    return used


def load(port: int, requests: int, concurrency: int, seed: int) -> tuple[int, float]:
    """Stream `requests` chats; tokens and seconds."""
    rng = random.Random(seed)
    jobs = [
        {
            "model": "tiny",
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": MAX_TOKENS,
            "ignore_eos": True,
            "seed": rng.randint(0, 1 << 30),
            "messages": [{"role": "user", "content": prompt(rng, PROMPT_WORDS)}],
        }
        for _ in range(requests)
    ]
    started = os.times().elapsed
    with ThreadPoolExecutor(concurrency) as pool:
        sent: list[Sent] = list(pool.map(lambda job: send("127.0.0.1", port, "", "/v1/chat/completions", job), jobs))
    seconds = os.times().elapsed - started
    failed = [one for one in sent if one.status != 200 or one.error]
    if failed:
        raise SystemExit(f"{len(failed)} requests failed, the first with {failed[0].error or failed[0].raw}")
    return sum(one.usage["completion_tokens"] for one in sent if one.usage), seconds


def one_round(server: tuple[int, int], args: argparse.Namespace, seed: int) -> dict[str, float]:
    """One load on one server: tokens per second, and CPU milliseconds per token by process."""
    port, pid = server
    before = tree_cpu(pid)
    tokens, seconds = load(port, args.requests, args.concurrency, seed)
    after = tree_cpu(pid)
    result = {"tokens/s": tokens / seconds}
    for name in after:
        result[f"{name}, CPU ms/token"] = 1e3 * (after[name] - before.get(name, 0.0)) / tokens
    result["all processes, CPU ms/token"] = 1e3 * (sum(after.values()) - sum(before.values())) / tokens
    return result


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """First quartile, median, third quartile."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def report(plain: list[dict[str, float]], observed: list[dict[str, float]], level: int) -> None:
    """Print the table."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    print(f"\nagent at level {level} against none, {len(plain)} alternated pairs; {cpu}, {os.cpu_count()} cores")
    print(f"{'':34} {'without':>10} {'with':>10} {'ratio: median':>14} {'quartiles':>16}")
    for name in observed[0]:
        with_agent = [one[name] for one in observed]
        without = [one.get(name, 0.0) for one in plain]
        row = f"{name:34} {statistics.median(without):10.4g} {statistics.median(with_agent):10.4g}"
        if all(value > 0 for value in without):
            low, middle, high = quartiles([b / a for a, b in zip(without, with_agent, strict=True)])
            row += f" {middle:14.3f} {low:7.3f} … {high:.3f}"
        print(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plain", required=True)
    parser.add_argument("--observed", required=True)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--level", type=int, default=1)
    parser.add_argument("--requests", type=int, default=96)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--report", type=Path)
    args = parser.parse_args()
    servers = [tuple(int(part) for part in one.split(":")) for one in (args.plain, args.observed)]
    rounds: tuple[list[dict[str, float]], list[dict[str, float]]] = ([], [])
    for server in servers:
        load(server[0], args.requests, args.concurrency, seed=10_000)  # warm up
    for pair in range(args.pairs):
        for which in (0, 1) if pair % 2 == 0 else (1, 0):
            rounds[which].append(one_round((servers[which][0], servers[which][1]), args, seed=pair))
        print(f"pair {pair + 1} of {args.pairs}", file=sys.stderr, flush=True)
    report(*rounds, level=args.level)
    if args.report:
        args.report.parent.mkdir(parents=True, exist_ok=True)
        args.report.write_text(json.dumps({"plain": rounds[0], "observed": rounds[1]}, indent=1))


if __name__ == "__main__":
    main()
