"""A real Prometheus scrapes the recorder of a real vLLM, and has what an OTLP backend has."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

import contract
import load
from conftest import place
from process import Engine, Process, free_port
from sink import Sink, attributes

START_S = 30
SCRAPE_S = 1
SETTLED_S = 4
"""Three reports and three scrapes after the last request."""
SCRAPER = {"instance", "job", "__name__"}
"""Labels that Prometheus adds."""


class Prometheus(Process):
    """Debian's Prometheus with one target."""

    def __init__(self, target: int, directory: Path, log: Path) -> None:
        super().__init__(log)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.directory = directory
        (directory / "prometheus.yml").write_text(f"""
global: {{scrape_interval: {SCRAPE_S}s}}
scrape_configs:
  - job_name: engine
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
""")

    def start(self) -> None:
        """Start it and wait."""
        flags = [f"--config.file={self.directory}/prometheus.yml", f"--storage.tsdb.path={self.directory}/data"]
        self.spawn(["prometheus", *flags, f"--web.listen-address={self.url.removeprefix('http://')}"], {})
        self.wait_until(f"{self.url}/-/ready", START_S)
        until = time.monotonic() + START_S
        # It takes up its targets some seconds after it is ready.
        while [target["health"] for target in self.get("targets")["activeTargets"]] != ["up"]:
            assert time.monotonic() < until, self.get("targets")
            time.sleep(0.2)

    def get(self, path: str, **query: str) -> Any:
        """An answer of its API."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=5) as answer:
            return json.load(answer)["data"]

    def values(self, name: str) -> dict[frozenset[tuple[str, str]], float]:
        """The last value of a metric for each set of its own labels."""
        found = {}
        for series in self.get("query", query=name)["result"]:
            labels = {key: value for key, value in series["metric"].items() if key not in SCRAPER}
            found[frozenset(labels.items())] = float(series["value"][1])
        return found


class Run:
    """One launch that both pushes and is scraped, after its load."""

    def __init__(self, metrics: dict[str, Metric], prometheus: Prometheus, scrape: str) -> None:
        self.metrics, self.prometheus, self.scrape = metrics, prometheus, scrape


@pytest.fixture(scope="module")
def run(agent: Path, artifacts: Path, sink_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    if not shutil.which("prometheus"):
        pytest.skip("no prometheus on PATH: run e2e/install-prometheus.sh")
    sink, port = Sink(sink_port), free_port()
    settings = {"OTEL_METRICS_EXPORTER": "otlp,prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": str(port)}
    engine = Engine(
        place("VLLM"),
        place("MODEL"),
        artifacts / "vllm-prometheus.log",
        agent=agent,
        endpoint=f"http://127.0.0.1:{sink_port}",
        settings=settings,
    )
    prometheus = Prometheus(port, tmp_path_factory.mktemp("prometheus"), artifacts / "prometheus.log")
    engine.start()
    try:
        engine.wait_ready()
        prometheus.start()
        load.run(engine.port, "tiny", count=2 * len(load.KINDS), concurrency=4, seed=9)
        time.sleep(SETTLED_S)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            scrape = answer.read().decode()
        yield Run(sink.last_metrics(), prometheus, scrape)
    finally:
        prometheus.stop()
        engine.stop()
        sink.stop()


def documented() -> list[contract.Documented]:
    return [metric for metric in contract.documented_metrics() if "vllm-v1" in metric.engines]


def test_prometheus_finds_its_target_up_and_named(run: Run) -> None:
    [target] = run.prometheus.get("targets")["activeTargets"]
    assert target["health"] == "up", target["lastError"]
    [labels] = run.prometheus.values("target_info")
    assert {("service_name", "tiny"), ("gen_ai_provider_name", "vllm")} <= labels


@pytest.mark.parametrize("metric", documented(), ids=lambda metric: metric.name)
def test_prometheus_has_every_documented_metric_with_otlps_values(run: Run, metric: contract.Documented) -> None:
    [meta] = run.prometheus.get("metadata", metric=metric.name)[metric.name]
    assert meta["type"] == metric.type
    have = run.metrics[metric.name]
    points = have.sum.data_points if metric.type == "counter" else have.gauge.data_points
    wanted = {
        frozenset(attributes(point.attributes).items()): point.as_double
        if point.HasField("as_double")
        else float(point.as_int)
        for point in points
    }
    found = run.prometheus.values(metric.name)
    assert found.keys() == wanted.keys()
    for labels, value in wanted.items():
        assert found[labels] == pytest.approx(value)


@pytest.mark.parametrize(
    ("otlp", "prometheus"),
    [
        ("gen_ai.client.token.usage", "gen_ai_client_token_usage"),
        ("gen_ai.server.request.duration", "gen_ai_server_request_duration_seconds"),
        ("gen_ai.server.time_per_output_token", "gen_ai_server_time_per_output_token_seconds"),
        ("gen_ai.server.time_to_first_token", "gen_ai_server_time_to_first_token_seconds"),
    ],
)
def test_prometheus_has_the_genai_histograms_with_otlps_counts(run: Run, otlp: str, prometheus: str) -> None:
    points = run.metrics[otlp].histogram.data_points
    assert sum(run.prometheus.values(f"{prometheus}_count").values()) == sum(point.count for point in points) > 0
    whole = sum(run.prometheus.values(f"{prometheus}_sum").values())
    assert whole == pytest.approx(sum(point.sum for point in points))
    assert len(run.prometheus.values(f"{prometheus}_bucket")) == sum(len(point.bucket_counts) for point in points)


def test_promtool_complains_of_nothing_but_documented_names(run: Run) -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=run.scrape, capture_output=True, text=True, check=False, timeout=30
    )
    # 3: readable, with complaints of style. The documented names stay as they are documented.
    assert checked.returncode in (0, 3), checked.stderr
    names = {metric.name for metric in contract.documented_metrics()}
    complaints = [line for line in checked.stderr.splitlines() if line and line.split()[0] not in names]
    assert not complaints, complaints
