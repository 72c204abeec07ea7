"""With an OTLP backend that is not ours, spans and metrics match the contract, name by name, type by type."""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE, Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

import contract
import load
from client import Sent
from conftest import place
from process import Engine
from sink import Sink, attributes

EVENT_LIMIT = 16


class Run:
    """One launch at level 2 with its load, its end by SIGTERM, and all that arrived."""

    def __init__(self, sink: Sink, sent: list[Sent]) -> None:
        self.sink, self.sent = sink, sent
        self.spans = list(sink.spans())
        self.traces: dict[str, list[Span]] = defaultdict(list)
        for _, _, span in self.spans:
            self.traces[span.trace_id.hex()].append(span)
        self.metrics = sink.last_metrics()


@pytest.fixture(scope="module")
def run(agent: Path, artifacts: Path, sink_port: int) -> Iterator[Run]:
    sink = Sink(sink_port)
    engine = Engine(
        place("VLLM"),
        place("MODEL"),
        artifacts / "vllm-sink.log",
        agent=agent,
        endpoint=f"http://127.0.0.1:{sink_port}",
        settings={
            "OTEL_INSTRUMENTATION_VLLM_TRACING_LEVEL": "2",
            "OTEL_SPAN_EVENT_COUNT_LIMIT": str(EVENT_LIMIT),
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "false",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-team=serving",
            "ARMS_APP_NAME": "acceptance",
            "ARMS_REGION_ID": "lab-1",
            "ARMS_LICENSE_KEY": "secret-key",
        },
    )
    engine.start()
    try:
        engine.wait_ready()
        sent = load.run(engine.port, "tiny", count=5 * len(load.KINDS), concurrency=8, seed=6)
        time.sleep(3)  # three export intervals
        os.kill(engine.pid, signal.SIGTERM)
        assert engine.child is not None
        engine.child.wait(60)
        yield Run(sink, sent)
    finally:
        engine.stop()
        sink.stop()


def answered(run: Run) -> Iterator[tuple[Sent, list[Span]]]:
    """The requests that were answered whole, with their spans."""
    for one in run.sent:
        if one.status == 200 and not one.aborted:
            yield one, run.traces[one.trace_id]


def named(spans: list[Span], name: str) -> list[Span]:
    """The spans of that name."""
    return [span for span in spans if span.name == name]


def test_every_request_has_the_tree_of_the_contract(run: Run) -> None:
    for sent, spans in answered(run):
        chat = "chat" if sent.path == load.CHAT else "text_completion"
        [http] = named(spans, f"POST {sent.path}")
        [operation] = named(spans, f"{chat} tiny")
        requests = named(spans, "llm_request")
        assert http.kind == Span.SPAN_KIND_SERVER
        assert operation.kind == Span.SPAN_KIND_INTERNAL
        assert operation.parent_span_id == http.span_id
        assert len(requests) == sent.choices
        for request in requests:
            assert request.parent_span_id == operation.span_id
            stages = [span for span in spans if span.parent_span_id == request.span_id]
            names = {span.name for span in stages}
            assert {"wait", "prefill"} <= names <= {"wait", "prefill", "decode"}
            for stage in stages:
                assert request.start_time_unix_nano <= stage.start_time_unix_nano
                assert stage.end_time_unix_nano <= request.end_time_unix_nano


def test_attributes_have_the_names_and_types_of_the_contract(run: Run) -> None:
    for sent, spans in answered(run):
        for request in named(spans, "llm_request"):
            contract.check(attributes(request.attributes), contract.LLM_REQUEST, optional=contract.LLM_REQUEST_OPTIONAL)
        operation = next(span for span in spans if attributes(span.attributes).get("gen_ai.operation.name"))
        have = attributes(operation.attributes)
        contract.check(have, contract.OPERATION, optional=contract.OPERATION_OPTIONAL)
        assert have["gen_ai.request.max_tokens"] == sent.body["max_tokens"]
        assert have["gen_ai.request.stream"] == bool(sent.body.get("stream"))
        assert have["gen_ai.response.id"] == sent.response_id
        if sent.usage:
            assert have["gen_ai.usage.output_tokens"] == sent.usage["completion_tokens"]


def test_latencies_are_seconds_that_add_up(run: Run) -> None:
    for sent, spans in answered(run):
        for request in named(spans, "llm_request"):
            have = attributes(request.attributes)
            e2e, ttft = have["gen_ai.latency.e2e"], have["gen_ai.latency.time_to_first_token"]
            assert 0 < ttft <= e2e <= sent.seconds + 0.5
            assert have["gen_ai.latency.time_in_queue"] + have["gen_ai.latency.time_in_model_inference"] <= e2e + 1e-3
            if have["gen_ai.usage.output_tokens"] > 1:
                expected = (e2e - ttft) / (have["gen_ai.usage.output_tokens"] - 1)
                assert have["gen_ai.latency.time_per_output_token"] == pytest.approx(expected, abs=1e-6)


def test_level_2_has_an_event_for_each_token_up_to_the_limit_and_counts_the_rest(run: Run) -> None:
    for _, spans in answered(run):
        for request in named(spans, "llm_request"):
            tokens = attributes(request.attributes)["gen_ai.usage.output_tokens"]
            events = [event for event in request.events if event.name == "gen_ai.token.generated"]
            assert len(events) == min(tokens, EVENT_LIMIT)
            assert request.dropped_events_count == tokens - len(events)
            times = [event.time_unix_nano for event in events]
            assert times == sorted(times)


def test_refused_and_aborted_requests_are_traced_with_their_errors(run: Run) -> None:
    kinds = {one.kind for one in run.sent if one.status != 200 or one.aborted}
    assert len(kinds) == 3
    for one in run.sent:
        spans = run.traces[one.trace_id]
        outcomes = {attributes(span.attributes).get("tachograph.outcome") for span in spans} - {None}
        if one.aborted:
            # Now and then the HTTP server does not see that a client went away, and the engine answers to the end.
            [request] = named(spans, "llm_request")
            unseen = attributes(request.attributes)["gen_ai.usage.output_tokens"] == one.body["max_tokens"]
            assert outcomes == {"ok" if unseen else "aborted"}
        elif one.status != 200:
            assert outcomes == {"refused"}
            operation = next(span for span in spans if "gen_ai.operation.name" in attributes(span.attributes))
            assert operation.status.code == Status.STATUS_CODE_ERROR
            assert attributes(operation.attributes)["error.type"] == str(one.status)


def test_the_resource_names_the_application_and_the_engine(run: Run) -> None:
    for resource, scope, _ in run.spans:
        have = attributes(resource.attributes)
        assert scope == "tachograph"
        assert have["service.name"] == "acceptance"
        assert have["cloud.region"] == "lab-1"
        assert have["gen_ai.provider.name"] == "vllm"
        assert have["tachograph.engine.generation"] == "v1"
        for name in ("service.instance.id", "host.name", "process.pid", "tachograph.engine.version"):
            assert have[name]


def test_the_key_and_the_headers_are_sent(run: Run) -> None:
    assert run.sink.headers["x-team"] == "serving"
    assert run.sink.headers["authorization"] == "Bearer secret-key"


def test_with_content_off_no_message_text_leaves_the_host(run: Run) -> None:
    with run.sink.lock:
        payloads = [request.SerializeToString() for request in run.sink.traces]
        payloads += [request.SerializeToString() for request in run.sink.metrics]
    assert any(word in str(run.sent[0].body) for word in ("kato", "miren", "solver", "estpro", "lyment"))
    for word in (b"estpro", b"lyment", b"conder", b"words that do not exist"):
        assert not any(word in payload for payload in payloads), f"{word!r} was sent"


def documented() -> list[contract.Documented]:
    return [metric for metric in contract.documented_metrics() if "vllm-v1" in metric.engines]


@pytest.mark.parametrize("metric", documented(), ids=lambda metric: metric.name)
def test_every_documented_metric_arrives_with_its_type_unit_and_dimensions(
    run: Run, metric: contract.Documented
) -> None:
    assert metric.name in run.metrics, sorted(run.metrics)
    have = run.metrics[metric.name]
    assert have.unit == metric.unit
    if metric.type == "counter":
        assert have.sum.is_monotonic
        assert have.sum.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
        points = have.sum.data_points
    else:
        points = have.gauge.data_points
    assert points
    for point in points:
        labels = attributes(point.attributes)
        assert labels["modelName"] == labels["model_name"] == "tiny"
        assert labels["engine_index"] == "0"
        assert labels["spanKind"] == "LLM"
        for name in metric.dims:
            assert name in labels


def total(metric: Metric, **labels: str) -> float:
    """Sum of a counter over its points that carry `labels`."""
    return sum(
        point.as_double if point.HasField("as_double") else point.as_int
        for point in metric.sum.data_points
        if labels.items() <= attributes(point.attributes).items()
    )


def test_counters_are_what_the_load_makes_them(run: Run) -> None:
    whole = [one for one, _ in answered(run)]
    asked_usage = [one for one in whole if one.usage]
    tokens_known = sum(one.usage["completion_tokens"] for one in asked_usage if one.usage)
    finished = run.metrics["gen_ai_vllm_request_success"]
    stopped, cut, aborted = (total(finished, finished_reason=reason) for reason in ("stop", "length", "abort"))
    assert stopped == sum(one.finish_reasons.count("stop") for one in whole)
    # An abort that the HTTP server did not see ends by its length.
    gone = sum(one.aborted for one in run.sent)
    assert cut + aborted == sum(one.finish_reasons.count("length") for one in whole) + gone
    assert 0 < aborted <= gone
    spans = [span for _, _, span in run.spans if span.name == "llm_request"]
    output = sum(attributes(span.attributes)["gen_ai.usage.output_tokens"] for span in spans)
    assert total(run.metrics["gen_ai_vllm_generation_tokens"]) == output >= tokens_known
    assert total(run.metrics["llm_usage_tokens"], usageType="output") == output


@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.client.token.usage",
        "gen_ai.server.request.duration",
        "gen_ai.server.time_per_output_token",
        "gen_ai.server.time_to_first_token",
    ],
)
def test_the_genai_histograms_stand_beside_them(run: Run, name: str) -> None:
    histogram = run.metrics[name].histogram
    assert histogram.data_points
    for point in histogram.data_points:
        assert point.count == sum(point.bucket_counts) > 0
        assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
        labels: dict[str, Any] = attributes(point.attributes)
        assert labels["gen_ai.provider.name"] == "vllm"
        # What was refused before the engine saw it names no model while content is off.
        assert labels.get("gen_ai.request.model") == "tiny" or "error.type" in labels
