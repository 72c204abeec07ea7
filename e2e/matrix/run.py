"""Start an engine under the agent, ask it every scenario in turn, and judge each by what arrived meanwhile."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from client import Sent, send
from engine.command import offline, serve
from engine.install import install
from engine.model import chat_kind, make
from matrix import batch, metrics, page, spans
from matrix.case import Case, Exchange
from matrix.cell import Cell, Row, State
from matrix.launch import EVENT_LIMIT, LEVEL, Launch, Start
from matrix.observer import EXPORT_MS, Observer
from matrix.scenario import Scenario
from matrix.told import told
from process import EngineProcess, free_port

LAST_LINES = 4
"""Of the log of an engine that did not start."""


@dataclass
class Bench:
    """Where things are."""

    agent: Path
    logs: Path


def ask(scenario: Scenario, launch: Launch, start: Start, port: int) -> list[Sent]:
    """Send the requests of a scenario."""
    asks = list(scenario.asks(random.Random(scenario.name), start.recipe.line))
    with ThreadPoolExecutor(scenario.concurrency) as pool:
        jobs = [
            pool.submit(send, "127.0.0.1", port, scenario.name, one.path, one.body, one.abort_after) for one in asks
        ]
        return [job.result() for job in jobs]


def case(scenario: Scenario, start: Start, observer: Observer, port: int) -> Case:
    """One scenario, asked and observed."""
    first = observer.exports
    before, page_before = observer.reported(0, first), page.read(port)
    sent = ask(scenario, start.launch, start, port)
    observer.settle(sent)
    last = observer.exports
    traces = {one.trace_id: one for one in sent}
    found: dict[str, list[Span]] = {trace: [] for trace in traces}
    for _, _, span in observer.sink.spans():
        if (trace := span.trace_id.hex()) in found:
            found[trace].append(span)
    return Case(
        start.recipe,
        start.launch,
        scenario,
        [Exchange(one, told(one), found[one.trace_id]) for one in sent],
        before,
        observer.reported(0, last),
        [observer.reported(index, index + 1) for index in range(first, last)],
        page_before,
        page.read(port),
    )


def judge(one: Case) -> Row:
    """The row of a case."""
    cells = spans.cells(one) | metrics.cells(one)
    errors = [exchange.sent.error for exchange in one.exchanges if exchange.sent.error]
    if errors:
        cells["http"] = Cell(State.WRONG, tuple(f"no answer from the engine: {error}" for error in errors))
    return Row(one.recipe.name, one.launch.name, one.scenario.name, cells)


def rows(start: Start, bench: Bench) -> Iterator[Row]:
    """Every row of one start of an engine."""
    log = bench.logs / f"{start.recipe.name}-{start.launch.name}.log".replace(" ", "-").replace(",", "")
    log.unlink(missing_ok=True)
    try:
        install(start.recipe)
        process, observer = launch(start, bench, log)
    except (AssertionError, OSError) as error:
        yield from failed(start, f"cannot start: {error}")
        return
    judged: list[Row] = []
    try:
        if start.launch.is_offline:
            judged.append(judge(batch.case(start, process, observer)))
            yield judged[-1]
            return
        process.start()
        process.wait_ready()
        observer.rest()
        for scenario in start.scenarios:
            judged.append(judge(case(scenario, start, observer, process.port)))
            yield judged[-1]
    except (AssertionError, OSError) as error:
        last = [line for line in str(error).splitlines() if line.strip()][-LAST_LINES:]
        yield from failed(start, " | ".join(["did not start, or did not go on", *last]), len(judged))
    finally:
        process.stop()
        observer.sink.stop()


def launch(start: Start, bench: Bench, log: Path) -> tuple[EngineProcess, Observer]:
    """The engine under the agent, not yet started, and the sink that it exports to."""
    recipe, how = start.recipe, start.launch
    model = make(recipe, how.kind.get(recipe.line) or chat_kind(recipe.line))
    port, observer = free_port(), Observer()
    command = offline(recipe, model) if how.is_offline else serve(recipe, model, port, how.flags[recipe.line])
    settings = {
        LEVEL: str(how.level),
        "OTEL_SPAN_EVENT_COUNT_LIMIT": str(EVENT_LIMIT),
        "OTEL_METRIC_EXPORT_INTERVAL": str(EXPORT_MS),
        "OTEL_BSP_SCHEDULE_DELAY": str(EXPORT_MS),
        **how.environment,
    }
    endpoint = f"http://127.0.0.1:{observer.port}"
    return EngineProcess(command, port, log, bench.agent, endpoint, settings), observer


def failed(start: Start, why: str, judged: int = 0) -> Iterator[Row]:
    """Rows of an engine that did not start, or ended after some of them: every cell is wrong."""
    for scenario in start.scenarios[judged:]:
        nothing = Case(start.recipe, start.launch, scenario, [])
        columns = [*spans.CHECKS, *(row.name for row in metrics.documented(nothing)), *metrics.SEMCONV]
        cells = {column: Cell(State.WRONG, (why,)) for column in columns}
        yield Row(start.recipe.name, start.launch.name, scenario.name, cells)
