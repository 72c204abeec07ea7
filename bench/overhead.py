"""What the agent costs: an engine without it, and with it or with the engine's own tracing, loaded in turn.

overhead.py --agent DIR [--engine NAME]… [--variant 0|1|2|native]… [--pairs 10]

A variant is a tracing level of the agent, or `native`: the engine's own tracing, without the agent. For each of them a
server is started beside the one that runs without any, and both get the same loads alternately, the first of a pair
being the other one each time. The CPU of every process is read from /proc before and after a round, so that other work
on the machine does not count. Printed are, pair by pair, the ratios: their median and quartiles. DIR is an environment
with the wheel; its server takes what is sent.
"""

import argparse
import json
import os
import platform
import random
import signal
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from client import Sent, prompt, send
from engine.command import serve
from engine.install import install
from engine.model import chat_kind, make
from engine.recipe import PROCESSES, RECIPES, Line, Recipe
from process import EngineProcess, Server, free_port

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MAX_TOKENS = 64
PROMPT_WORDS = 24
ENGINES = ("vllm-0.32.0", "vllm-0.8.5.post2", "sglang-0.5.23")
VARIANTS = ("0", "1", "2", "native")

AGENT = {"tachograph": "agent", "exe": "agent"}
"""The supervisor starts the recorder as /proc/self/exe."""

Round = dict[str, float]
"""Tokens per second, and CPU milliseconds per token by process."""


def tree_cpu(root: int, names: dict[str, str]) -> dict[str, float]:
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
        name = next((label for prefix, label in names.items() if comm.startswith(prefix)), "other")
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


def one_round(server: EngineProcess, line: Line, args: argparse.Namespace, seed: int) -> Round:
    """One load on one server."""
    names = PROCESSES[line] | AGENT
    before = tree_cpu(server.pid, names)
    tokens, seconds = load(server.port, args.requests, args.concurrency, seed)
    after = tree_cpu(server.pid, names)
    result = {"tokens/s": tokens / seconds}
    for name in after:
        result[f"{name}, CPU ms/token"] = 1e3 * (after[name] - before.get(name, 0.0)) / tokens
    result["all processes, CPU ms/token"] = 1e3 * (sum(after.values()) - sum(before.values())) / tokens
    return result


def start(recipe: Recipe, variant: str | None, backend: Server, args: argparse.Namespace, logs: Path) -> EngineProcess:
    """A server of the engine: alone (None), with its own tracing, or under the agent."""
    port = free_port()
    flags: tuple[str, ...] = ()
    if variant == "native" and recipe.line is Line.SGLANG:
        flags = ("--enable-trace", "--otlp-traces-endpoint", backend.grpc.removeprefix("http://"))
    elif variant == "native":
        flags = ("--otlp-traces-endpoint", backend.grpc)
    command = serve(recipe, make(recipe, chat_kind(recipe.line)), port, flags)
    if variant == "native":
        command.environment["OTEL_EXPORTER_OTLP_TRACES_INSECURE"] = "true"
    is_observed = variant is not None and variant != "native"
    server = EngineProcess(
        command,
        port,
        logs / f"{recipe.name}-{variant or 'alone'}.log",
        agent=args.agent / "bin" if is_observed else None,
        endpoint=backend.grpc,
        settings={"OTEL_INSTRUMENTATION_VLLM_TRACING_LEVEL": variant} if is_observed and variant else None,
    )
    print(f"start {recipe.name} {describe(variant)}", file=sys.stderr, flush=True)
    server.start()
    server.wait_ready()
    load(port, args.requests, args.concurrency, seed=10_000)  # warm up
    return server


def describe(variant: str | None) -> str:
    """A variant in words."""
    if variant is None:
        return "alone"
    return "with its own tracing" if variant == "native" else f"under the agent at level {variant}"


def compare(
    recipe: Recipe, alone: EngineProcess, other: EngineProcess, args: argparse.Namespace
) -> tuple[list[Round], list[Round]]:
    """Alternated pairs of rounds."""
    rounds: tuple[list[Round], list[Round]] = ([], [])
    for pair in range(args.pairs):
        for which in (0, 1) if pair % 2 == 0 else (1, 0):
            rounds[which].append(one_round((alone, other)[which], recipe.line, args, seed=pair))
        print(f"pair {pair + 1} of {args.pairs}", file=sys.stderr, flush=True)
    return rounds


def cell(alone: list[Round], other: list[Round], name: str) -> str:
    """Median and quartiles of the ratios of a figure."""
    ratios = [b[name] / a[name] for a, b in zip(alone, other, strict=True) if a.get(name) and name in b]
    if len(ratios) < 2:
        return ""
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.3f} ({low:.3f} … {high:.3f})"


def report(results: dict[str, dict[str, tuple[list[Round], list[Round]]]], args: argparse.Namespace) -> str:
    """Tables in Markdown, one for each engine."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    lines = [
        f"{cpu}, {os.cpu_count()} cores; {args.pairs} pairs of {args.requests} requests, {args.concurrency} streams"
    ]
    for engine, variants in results.items():
        names = list(dict.fromkeys(name for _, other in variants.values() for name in other[0]))
        kept = [name for name in names if not name.startswith(("other", "agent"))]
        lines += ["", f"| {engine} | alone | " + " | ".join(describe(variant) for variant in variants) + " |"]
        lines.append("|---" * (len(variants) + 2) + "|")
        every_alone = [one for alone, _ in variants.values() for one in alone]
        for name in kept:
            level = statistics.median([one.get(name, 0.0) for one in every_alone])
            cells = [cell(*rounds, name) for rounds in variants.values()]
            lines.append(f"| {name} | {level:.4g} | " + " | ".join(cells) + " |")
        agent = "agent, CPU ms/token"
        cells = [
            f"{statistics.median([one[agent] for one in other]):.4g}" if agent in other[0] else ""
            for _, other in variants.values()
        ]
        lines.append(f"| recorder and supervisor, CPU ms/token | | {' | '.join(cells)} |")
    return "\n".join(lines)


def measure(
    recipe: Recipe,
    args: argparse.Namespace,
    backend: Server,
    logs: Path,
    results: dict[str, tuple[list[Round], list[Round]]],
) -> None:
    """Every variant of one engine against the engine alone."""
    install(recipe)
    alone = start(recipe, None, backend, args, logs)
    try:
        for variant in args.variant:
            other = start(recipe, variant, backend, args, logs)
            try:
                results[variant] = compare(recipe, alone, other, args)
            finally:
                other.stop()
    finally:
        alone.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", type=Path, required=True)
    parser.add_argument("--engine", choices=RECIPES, nargs="+", default=list(ENGINES))
    parser.add_argument("--variant", choices=VARIANTS, nargs="+", default=list(VARIANTS))
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--requests", type=int, default=96)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--report", type=Path, help="write every round as JSON")
    args = parser.parse_args()
    # So that no engine outlives a measurement that was told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as scratch:
        logs = Path(scratch)
        backend = Server(args.agent / "bin", logs / "data", logs / "server.log")
        backend.start()
        results: dict[str, dict[str, tuple[list[Round], list[Round]]]] = {}
        try:
            for name in args.engine:
                measure(RECIPES[name], args, backend, logs, results.setdefault(name, {}))
        finally:
            backend.stop()
            # What was measured before a failure was measured.
            print(report({name: variants for name, variants in results.items() if variants}, args))
            if args.report:
                args.report.parent.mkdir(parents=True, exist_ok=True)
                args.report.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
