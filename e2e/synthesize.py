"""Synthetic requests in the shape that the agent exports, for tests of crashes; no engine is behind them."""

import random
import secrets
import time
import urllib.request
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

SECOND_NS = 1_000_000_000


def value(plain: Any) -> AnyValue:
    """An OTLP value of a Python one."""
    if isinstance(plain, bool):
        return AnyValue(bool_value=plain)
    if isinstance(plain, int):
        return AnyValue(int_value=plain)
    if isinstance(plain, float):
        return AnyValue(double_value=plain)
    if isinstance(plain, list):
        return AnyValue(array_value=ArrayValue(values=[value(one) for one in plain]))
    return AnyValue(string_value=str(plain))


def attributes(**plain: Any) -> list[KeyValue]:
    """OTLP attributes; `__` in a name stands for a dot."""
    return [KeyValue(key=name.replace("__", "."), value=value(one)) for name, one in plain.items()]


def spans(trace_id: str, end_ns: int, rng: random.Random) -> list[Span]:
    """The tree of one chat request that ended at `end_ns`."""
    queue, prefill = rng.expovariate(20), rng.expovariate(10)
    output = rng.randint(2, 400)
    decode = output * rng.uniform(0.004, 0.02)
    e2e = queue + prefill + decode
    start = end_ns - int(e2e * SECOND_NS)
    ids = [secrets.token_bytes(8) for _ in range(6)]

    def span(index: int, parent: int | None, name: str, begin: float, length: float, **plain: Any) -> Span:
        return Span(
            trace_id=bytes.fromhex(trace_id),
            span_id=ids[index],
            parent_span_id=b"" if parent is None else ids[parent],
            name=name,
            kind=Span.SPAN_KIND_SERVER if parent is None else Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=start + int(begin * SECOND_NS),
            end_time_unix_nano=start + int((begin + length) * SECOND_NS),
            attributes=attributes(**plain),
        )

    latency = {
        "gen_ai__latency__e2e": e2e,
        "gen_ai__latency__time_in_queue": queue,
        "gen_ai__latency__time_to_first_token": queue + prefill,
        "gen_ai__latency__time_in_model_prefill": prefill,
        "gen_ai__latency__time_in_model_decode": decode,
        "gen_ai__latency__time_per_output_token": decode / (output - 1),
        "gen_ai__usage__input_tokens": rng.randint(10, 4000),
        "gen_ai__usage__output_tokens": output,
    }
    model = rng.choice(["large", "small"])
    return [
        span(0, None, "POST /v1/chat/completions", 0, e2e, http__response__status_code=200),
        span(
            1,
            0,
            f"chat {model}",
            0,
            e2e,
            gen_ai__operation__name="chat",
            gen_ai__provider__name="vllm",
            gen_ai__request__model=model,
            gen_ai__request__stream=True,
            gen_ai__response__finish_reasons=[rng.choice(["stop", "length"])],
            tachograph__outcome="ok",
            http__response__status_code=200,
            **latency,
        ),
        span(2, 1, "llm_request", 0, e2e, **latency),
        span(3, 2, "wait", 0, queue),
        span(4, 2, "prefill", queue, prefill),
        span(5, 2, "decode", queue + prefill, decode),
    ]


def export_request(service: str, trace_ids: list[str], spread_s: float = 0.0, instance: str = "synthetic") -> bytes:
    """An OTLP export of one request for each trace id, ended within the last `spread_s` seconds."""
    rng = random.Random(trace_ids[0])
    now = time.time_ns()
    made = [
        span for trace_id in trace_ids for span in spans(trace_id, now - int(rng.uniform(0, spread_s) * SECOND_NS), rng)
    ]
    resource_spans = ResourceSpans(scope_spans=[ScopeSpans(spans=made)])
    resource_spans.resource.attributes.extend(attributes(service__name=service, service__instance__id=instance))
    return ExportTraceServiceRequest(resource_spans=[resource_spans]).SerializeToString()


def post(endpoint: str, body: bytes) -> None:
    """Export over OTLP/HTTP; raises unless it is acknowledged."""
    request = urllib.request.Request(f"{endpoint}/v1/traces", body, {"Content-Type": "application/x-protobuf"})
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 200, response.status
