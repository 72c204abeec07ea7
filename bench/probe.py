"""What a hook costs the engine's thread: each hook on stand-ins of the engine's classes, and the same without hooks.

probe.py --agent DIR [--batch 1 16 64]

The stand-ins are those of the Python tests: they have the attributes that the hooks read and do no work of their own.
Rounds with and without hooks alternate; printed is the median of the differences, for one call and for one sequence
of its batch. DIR is an environment with the wheel.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = Path(__file__).resolve().parent.parent / "python/tests"
ROUNDS = 15
CALLS = 4000
"""Calls of a round: their records fit into one ring, which is made anew for each."""
CHUNK = b'data: {"id":"chatcmpl-0123456789abcdef","choices":[{"index":0,"delta":{"content":" word"}}]}\n\n'


def engine(hooked: bool) -> dict[str, Any]:
    """The stand-ins' modules, imported anew; with our hooks on them or as they are."""
    conftest: Any = import_module("conftest")
    modules = {name: conftest.fresh(name) for name in conftest.FILES}
    if hooked:
        table = import_module("tachograph.hook.table").Table(import_module("tachograph._probe"))
        for module in modules.values():
            table.attach(module)
    modules["config"] = conftest.config
    return modules


def schedule(modules: dict[str, Any], ids: list[str]) -> Callable[[], None]:
    """One step decided: `Scheduler.schedule`."""
    module = modules["vllm.v1.core.sched.scheduler"]
    scheduler = module.Scheduler(modules["config"](), None, None, 16)
    output = module.SchedulerOutput(dict.fromkeys(ids, 1))
    scheduler.running = ids
    scheduler.script = [output] * CALLS
    return lambda: scheduler.schedule()


def update(modules: dict[str, Any], ids: list[str]) -> Callable[[], None]:
    """One step's outputs: `Scheduler.update_from_output`, one new token for each sequence."""
    module = modules["vllm.v1.core.sched.scheduler"]
    scheduler = module.Scheduler(modules["config"](), None, None, 16)
    step = module.SchedulerOutput()
    outputs = [
        SimpleNamespace(request_id=id_, new_token_ids=[7], finish_reason=None, prefill_stats=None) for id_ in ids
    ]
    stats = SimpleNamespace(prefix_cache_stats=SimpleNamespace(queries=0, hits=0))
    result = {0: SimpleNamespace(outputs=outputs, scheduler_stats=stats)}
    return lambda: scheduler.update_from_output(step, result)


def process(modules: dict[str, Any], ids: list[str]) -> Callable[[], None]:
    """The same outputs in the API server: `OutputProcessor.process_outputs`, none of them a first or last one."""
    engine_ = modules["vllm.v1.engine.async_llm"].AsyncLLM(modules["config"](), None, True)
    outputs = [
        SimpleNamespace(request_id=id_, finish_reason=None, prefill_stats=None, stopped=False, new_token_ids=[7])
        for id_ in ids
    ]
    return lambda: engine_.output_processor.process_outputs(outputs)


def chunk(modules: dict[str, Any], ids: list[str]) -> Callable[[], None]:
    """One chunk to each client: `send` of the ASGI edge."""
    sends: list[Callable[[Any], Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        sends.append(send)

    async def sink(_message: Any) -> None:
        pass

    async def source() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    stack = modules["fastapi.applications"].FastAPI(app).build_middleware_stack()
    for _ in ids:
        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "query_string": b"", "headers": []}
        asyncio.run(stack({**scope, "scheme": "http", "http_version": "1.1"}, source, sink))
    message = {"type": "http.response.body", "body": CHUNK, "more_body": True}

    def call() -> None:
        for send in sends:
            with suppress(StopIteration):
                send(message).send(None)

    return call


CASES: dict[str, Callable[[dict[str, Any], list[str]], Callable[[], None]]] = {
    "Scheduler.schedule": schedule,
    "Scheduler.update_from_output": update,
    "OutputProcessor.process_outputs": process,
    "ASGI send": chunk,
}


def round_ns(hooked: bool, name: str, batch: int) -> float:
    """Nanoseconds of one call."""
    modules = engine(hooked)
    ids = [f"chatcmpl-{n:016x}-{n:08x}" for n in range(batch)]
    call = CASES[name](modules, ids)
    calls = max(CALLS // (batch if name == "ASGI send" else 1), 50)
    start = time.perf_counter_ns()
    for _ in range(calls):
        call()
    spent = time.perf_counter_ns() - start
    for ring in Path(os.environ["TACHOGRAPH_RUNTIME_DIR"]).iterdir():
        ring.unlink()
    return spent / calls


def lost() -> int:
    """Records that the last ring had no room for: losing one is cheaper than writing it."""
    counters: dict[str, int] = import_module("tachograph._probe").counters()
    return counters["lost"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", type=Path, required=True)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16, 64])
    args = parser.parse_args()
    os.environ["TACHOGRAPH_TEST_AGENT"] = str(args.agent)
    sys.path.insert(0, str(TESTS))
    print(f"{'hook':34} {'batch':>6} {'µs a call':>10} {'ns a sequence':>14}   quartiles of a call, {ROUNDS} rounds")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        os.environ["TACHOGRAPH_RUNTIME_DIR"] = directory
        for name in CASES:
            for batch in args.batch:
                costs = []
                for _ in range(ROUNDS):
                    plain = round_ns(False, name, batch)
                    costs.append(round_ns(True, name, batch) - plain)
                    if lost():
                        raise SystemExit(f"{name}: {lost()} records did not fit into the ring")
                low, middle, high = statistics.quantiles(costs, n=4, method="inclusive")
                spread = f"({low / 1e3:.2f} … {high / 1e3:.2f})"
                print(f"{name:34} {batch:6} {middle / 1e3:10.2f} {middle / batch:14.0f}   {spread}")


if __name__ == "__main__":
    main()
