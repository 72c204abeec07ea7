"""Synthetic metrics in the shape that the agent exports, of every engine line; no engine is behind them.

`python synthesize_metrics.py http://127.0.0.1:4318` fills a server for work on the screens: a vLLM V1 with two ranks, a
vLLM V0 and an SGLang, each with an agent that reports of itself, and requests of all of them.
"""

import math
import random
import secrets
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)

from synthesize import SECOND_NS, export_request, post, value

SPEC = Path(__file__).parent / "metrics.toml"
INTERVAL_S = 10
"""Seconds between two reports."""


class Launch(NamedTuple):
    """One launch of an engine."""

    line: str
    provider: str
    generation: str
    version: str
    model: str
    dimensions: list[dict[str, str]]
    """Of each engine of the launch."""
    hooks: dict[str, str]
    """State and detail by the name of what is wrapped."""


LAUNCHES = (
    Launch(
        "vllm-v1",
        "vllm",
        "v1",
        "0.32.0",
        "Qwen/Qwen3-8B",
        [{"engine_index": "0"}, {"engine_index": "1"}],
        {"Scheduler.schedule": "live:", "Scheduler.update_from_output": "live:", "Scheduler.add_request": "live:"},
    ),
    Launch(
        "vllm-v0",
        "vllm",
        "v0",
        "0.8.5.post2",
        "Qwen/Qwen3-8B",
        [{}],
        {"LLMEngine.step": "live:", "Scheduler._preempt": "missing:preemptions", "AsyncLLM": "not_applicable:V1"},
    ),
    Launch(
        "sglang",
        "sglang",
        "",
        "0.5.23",
        "deepseek-r1",
        [{"callType": "gen_ai", "rpcType": "2100"}],
        {"Scheduler.run_batch": "live:", "Scheduler.process_batch_result": "removed:tokens per step"},
    ),
)
FINISH_REASONS = {"stop": 0.7, "length": 0.25, "abort": 0.05}


def pairs(plain: dict[str, Any]) -> list[KeyValue]:
    """OTLP attributes."""
    return [KeyValue(key=name, value=value(one)) for name, one in plain.items()]


def level(name: str, busy: float) -> float:
    """What a level stands at, by the load from 0 to 1."""
    if "waiting" in name or "queue" in name:
        return max(0.0, math.floor((busy - 0.6) * 40))
    if any(word in name for word in ("usage", "rate")) and "tokens" not in name:
        return busy * 0.95
    if "swapped" in name or "cpu" in name:
        return 0.0
    if "accept" in name:
        return 0.0
    return float(round(busy * (20_000 if "tokens" in name else 1_100 if "throughput" in name else 40)))


def growth(name: str, unit: str, busy: float) -> float:
    """What a sum grows by in a second."""
    if unit == "s":
        times = {"queue": 0.02, "prefill": 0.1, "first": 0.12, "per_output": 0.02}
        return 3 * busy * next((seconds for key, seconds in times.items() if key in name), 1.5)
    if "token" in name or "prefix" in name:
        return busy * (900 if "generation" in name else 2_400)
    return 0.0 if "preempt" in name and busy < 0.8 else busy * (60 if "iter" in name else 3)


class Source:
    """The running sums of one launch."""

    def __init__(self, launch: Launch, start_ns: int) -> None:
        self.launch = launch
        self.start_ns = start_ns
        self.instance = f"{secrets.token_hex(4)}-0000-4000-8000-{secrets.token_hex(6)}"
        self.service = f"chat-{launch.line}"
        self.sums: dict[tuple[str, str], float] = {}
        rows = tomllib.loads(SPEC.read_text())["metric"]
        self.rows = [row for row in rows if launch.line in row["engine"]]

    def grow(self, name: str, attributes: dict[str, Any], by: float) -> float:
        """The sum after it grew."""
        key = (name, repr(attributes))
        self.sums[key] = self.sums.get(key, 0.0) + by
        return self.sums[key]

    def point(self, attributes: dict[str, Any], now_ns: int, number: float) -> NumberDataPoint:
        """A point of this launch."""
        return NumberDataPoint(
            attributes=pairs(attributes),
            start_time_unix_nano=self.start_ns,
            time_unix_nano=now_ns,
            as_double=number,
        )

    def documented(self, now_ns: int, busy: float) -> Iterator[Metric]:
        """The metrics of its line, each with the documented type."""
        for row in self.rows:
            points = []
            for dimensions in self.launch.dimensions:
                model = {"modelName": self.launch.model, "model_name": self.launch.model, "spanKind": "LLM"}
                shares: dict[str, dict[str, float]] = {
                    "finished_reason": FINISH_REASONS,
                    "usageType": {"input": 0.75, "output": 0.25},
                }
                key = next(iter(row.get("dims", [])), None)
                for part, share in shares[key].items() if key else [("", 1.0)]:
                    attributes = model | dimensions | ({key: part} if key else {})
                    if row["type"] == "gauge" or row.get("nature") == "level":
                        number = level(row["name"], busy)
                    else:
                        by = growth(row["name"], row["unit"], busy) * share * INTERVAL_S
                        number = self.grow(row["name"], attributes, by)
                    points.append(self.point(attributes, now_ns, number))
            yield metric(row["name"], row["unit"], points, is_sum=row["type"] == "counter")

    def own(self, now_ns: int, busy: float) -> Iterator[Metric]:
        """What its agent reports of itself."""
        processes = {"api_server": 4211, "engine_core": 4240}
        core = {"process.pid": 4240, "tachograph.process.role": "engine_core"}

        def gauge(name: str, unit: str, *points: tuple[dict[str, Any], float]) -> Metric:
            return metric(name, unit, [self.point(a, now_ns, n) for a, n in points], is_sum=False)

        def counter(name: str, unit: str, *points: tuple[dict[str, Any], float]) -> Metric:
            grown = [self.point(a, now_ns, self.grow(name, a, by * INTERVAL_S)) for a, by in points]
            return metric(name, unit, grown, is_sum=True)

        of = [{"process.pid": pid, "tachograph.process.role": role} for role, pid in processes.items()]
        yield gauge("tachograph.process", "1", *[(each | {"process.runtime.version": "3.12.4"}, 1) for each in of])
        yield gauge("tachograph.ring.usage", "1", *[(each, busy * 0.1 * (i + 1)) for i, each in enumerate(of)])
        probes = []
        for name, state in self.launch.hooks.items():
            word, _, detail = state.partition(":")
            probe = {"tachograph.probe.name": f"{self.launch.provider}.core.{name}", "tachograph.probe.state": word}
            probes.append((core | probe | {"tachograph.probe.detail": detail}, float(word == "live")))
        yield gauge("tachograph.probe", "1", *probes)
        states = [({"tachograph.state": state}, 90 * busy) for state in ("produced", "read")]
        yield counter("tachograph.records", "{record}", *states)
        yield counter("tachograph.requests", "{request}", ({"tachograph.outcome": "ok"}, 3 * busy))
        for figure in ("produced", "sent"):
            by_unit = [({"tachograph.unit": unit}, by) for unit, by in (("spans", 18 * busy), ("points", 4))]
            yield counter(f"tachograph.export.{figure}", "1", *by_unit)
        yield gauge("tachograph.export.queued", "1", ({"tachograph.unit": "spans"}, round(12 * busy)))
        drop = {"tachograph.unit": "records", "tachograph.reason": "ring_full"}
        yield counter("tachograph.dropped", "1", (drop, 0.3 * (self.launch.generation == "v0")))
        yield counter("tachograph.faults", "1", (core, 0.002 * (self.launch.provider == "sglang")))
        yield gauge("tachograph.lag", "s", ({}, 0.002 + busy * 0.01))
        recorder = {"tachograph.process.role": "recorder"}
        yield counter("process.cpu.time", "s", (recorder, 0.004 * busy))
        yield gauge("process.memory.usage", "By", (recorder, 21e6))

    def export(self, now_ns: int, busy: float) -> bytes:
        """One report."""
        metrics = [*self.documented(now_ns, busy), *self.own(now_ns, busy)]
        resource_metrics = ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=metrics)])
        resource = {
            "service.name": self.service,
            "service.instance.id": self.instance,
            "host.name": "gpu-a",
            "gen_ai.provider.name": self.launch.provider,
            "tachograph.engine.version": self.launch.version,
            "telemetry.sdk.version": "0.1.0",
        }
        if self.launch.generation:
            resource["tachograph.engine.generation"] = self.launch.generation
        resource_metrics.resource.attributes.extend(pairs(resource))
        return ExportMetricsServiceRequest(resource_metrics=[resource_metrics]).SerializeToString()


def metric(name: str, unit: str, points: list[NumberDataPoint], *, is_sum: bool) -> Metric:
    """A metric with its documented type."""
    if is_sum:
        cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        data = Sum(data_points=points, aggregation_temporality=cumulative, is_monotonic=True)
        return Metric(name=name, unit=unit, sum=data)
    return Metric(name=name, unit=unit, gauge=Gauge(data_points=points))


def load(seconds: float, rng: random.Random) -> float:
    """From 0 to 1: a slow wave with some noise."""
    return min(1.0, max(0.05, 0.55 + 0.35 * math.sin(seconds / 120) + rng.uniform(-0.05, 0.05)))


def fill(endpoint: str, history_s: int = 900) -> None:
    """Send the last `history_s` seconds of all launches."""
    rng = random.Random(1)
    now_ns = time.time_ns()
    start_ns = now_ns - history_s * SECOND_NS
    sources = [Source(launch, start_ns) for launch in LAUNCHES]
    for passed in range(0, history_s, INTERVAL_S):
        for source in sources:
            body = source.export(start_ns + passed * SECOND_NS, load(passed, rng))
            headers = {"Content-Type": "application/x-protobuf"}
            request = urllib.request.Request(f"{endpoint}/v1/metrics", body, headers)
            with urllib.request.urlopen(request, timeout=30) as response:
                assert response.status == 200, response.status
    for source in sources:
        trace_ids = [secrets.token_hex(16) for _ in range(200)]
        post(endpoint, export_request(source.service, trace_ids, history_s, source.instance))


if __name__ == "__main__":
    fill(sys.argv[1])
