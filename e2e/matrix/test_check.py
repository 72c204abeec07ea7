"""The matrix sees what is wrong: a case that is right in every cell, then one fact of it changed at a time."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE, Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import contract
from client import Sent
from engine.recipe import RECIPES, Line
from matrix import metrics, spans, table
from matrix.case import Case, Exchange
from matrix.cell import Row, State
from matrix.launch import EVENT_LIMIT, LAUNCHES
from matrix.page import Page, parse
from matrix.reported import Reported
from matrix.scenario import SCENARIOS
from matrix.told import CHAT, told

START = 1_700_000_000_000_000_000
TOKENS = 20
PROMPT = 7
E2E, QUEUE, PREFILL, DECODE = 1.0, 0.1, 0.2, 0.6
TTFT = QUEUE + PREFILL + 0.1
TPOT = (E2E - TTFT) / (TOKENS - 1)
LAUNCH = next(launch for launch in LAUNCHES if launch.name == "default")


def any_value(value: Any) -> AnyValue:
    """An OTLP value of a Python one."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(one) for one in value]))
    return AnyValue(string_value=value)


def pairs(values: dict[str, Any]) -> list[KeyValue]:
    """OTLP attributes."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def span(name: str, number: int, parent: bytes, begin: float, end: float, values: dict[str, Any] | None = None) -> Span:
    """A span from `begin` to `end` seconds after the start."""
    return Span(
        trace_id=b"t" * 16,
        span_id=bytes([number]) * 8,
        parent_span_id=parent,
        name=name,
        kind=Span.SPAN_KIND_SERVER if name.startswith("POST") else Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=START + round(begin * 1e9),
        end_time_unix_nano=START + round(end * 1e9),
        attributes=pairs(values or {}),
    )


def chat() -> Sent:
    """A chat that was answered."""
    return Sent(
        kind="chat",
        trace_id=(b"t" * 16).hex(),
        path=CHAT,
        body={
            "model": "tiny",
            "messages": [{"role": "user", "content": "kato"}],
            "max_tokens": TOKENS,
            "temperature": 0.5,
            "seed": 3,
        },
        status=200,
        response_id="chatcmpl-1",
        texts=["solver"],
        finish_reasons=["length"],
        usage={"prompt_tokens": PROMPT, "completion_tokens": TOKENS},
        seconds=1.2,
        started_unix_ns=START,
        span_id=(b"c" * 8).hex(),
    )


def message(role: str, text: str) -> str:
    """Messages as the conventions have them."""
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def right_spans() -> list[Span]:
    """What the agent has to make of that chat."""
    http = {
        "http.request.method": "POST",
        "url.path": CHAT,
        "http.response.status_code": 200,
        "client.address": "127.0.0.1",
    }
    operation: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.span.kind": "LLM",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "tiny",
        "gen_ai.request.max_tokens": TOKENS,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.seed": 3,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["length"],
        "gen_ai.usage.input_tokens": PROMPT,
        "gen_ai.usage.output_tokens": TOKENS,
        "gen_ai.input.messages": message("user", "kato"),
        "gen_ai.output.messages": message("assistant", "solver"),
        **LATENCIES,
    }
    request: dict[str, Any] = {
        **LATENCIES,
        "gen_ai.request.id": "r1",
        "gen_ai.usage.input_tokens": PROMPT,
        "gen_ai.usage.output_tokens": TOKENS,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.response.finish_reasons": ["length"],
        "tachograph.preemptions": 0,
        "tachograph.engine_index": 0,
        "tachograph.queue_depth_at_arrival": 0,
        "tachograph.steps": TOKENS,
    }
    top = span(f"POST {CHAT}", 1, b"c" * 8, 0, 1.1, http)
    middle = span("chat tiny", 2, top.span_id, 0, 1.1, operation)
    bottom = span("llm_request", 3, middle.span_id, 0, 1.0, request)
    for index in range(EVENT_LIMIT):
        event = bottom.events.add(
            name="gen_ai.token.generated", time_unix_nano=START + round((TTFT + index * TPOT) * 1e9)
        )
        event.attributes.extend(
            pairs(
                {
                    "gen_ai.token.index": index,
                    "gen_ai.token.time_since_previous": TPOT,
                    "tachograph.step": index,
                    "gen_ai.iteration.batch_size": 1,
                }
            )
        )
    bottom.dropped_events_count = TOKENS - EVENT_LIMIT
    return [
        top,
        middle,
        bottom,
        span("wait", 4, bottom.span_id, 0.1, 0.1 + QUEUE),
        span("prefill", 5, bottom.span_id, 0.2, 0.2 + PREFILL),
        span("decode", 6, bottom.span_id, 0.4, 0.4 + DECODE),
    ]


LATENCIES = {
    "gen_ai.latency.e2e": E2E,
    "gen_ai.latency.time_in_queue": QUEUE,
    "gen_ai.latency.time_in_scheduler": 0.001,
    "gen_ai.latency.time_to_first_token": TTFT,
    "gen_ai.latency.time_per_output_token": TPOT,
    "gen_ai.latency.time_in_model_prefill": PREFILL,
    "gen_ai.latency.time_in_model_decode": DECODE,
    "gen_ai.latency.time_in_model_inference": PREFILL + DECODE,
}

VALUES: dict[str, float] = {
    "vllm_iter_count": TOKENS,
    "genai_llm_first_token_seconds": TTFT,
    "gen_ai_server_time_per_output_token": TPOT,
    "gen_ai_server_request_duration": E2E,
    "gen_ai_vllm_prefix_cache_queries": PROMPT,
    "gen_ai_vllm_prompt_tokens": PROMPT,
    "gen_ai_vllm_generation_tokens": TOKENS,
    "gen_ai_vllm_request_params_n": 1,
    "gen_ai_vllm_request_params_max_tokens": TOKENS,
    "gen_ai_vllm_request_queue_time_seconds": QUEUE,
    "gen_ai_vllm_request_prefill_time_seconds": PREFILL,
    "gen_ai_vllm_request_decode_time_seconds": DECODE,
    "gen_ai_vllm_request_inference_time_seconds": PREFILL + DECODE,
}
PAGE = f"""\
# TYPE vllm:prompt_tokens counter
vllm:prompt_tokens_total{{engine="0"}} {PROMPT}
# TYPE vllm:prefix_cache_queries counter
vllm:prefix_cache_queries_total{{engine="0"}} {PROMPT}
# TYPE vllm:request_success counter
vllm:request_success_total{{engine="0",finished_reason="length"}} 1
"""


def right_metrics() -> dict[str, Metric]:
    """What the agent has to report after that chat, and nothing before it."""
    common = {"modelName": "tiny", "model_name": "tiny", "engine_index": "0", "spanKind": "LLM"}
    found: dict[str, Metric] = {}
    for row in contract.documented_metrics():
        if Line.VLLM_V1 not in row.engines:
            continue
        metric = Metric(name=row.name, unit=row.unit)
        data = metric.sum if row.type == "counter" else metric.gauge
        if row.type == "counter":
            metric.sum.is_monotonic, metric.sum.aggregation_temporality = True, AGGREGATION_TEMPORALITY_CUMULATIVE
        points: list[tuple[dict[str, str], float]] = [({}, VALUES.get(row.name, 0))]
        if row.name == "llm_usage_tokens":
            points = [({"usageType": "input"}, PROMPT), ({"usageType": "output"}, TOKENS)]
        if row.name == "gen_ai_vllm_request_success":
            points = [({"finished_reason": "length"}, 1), ({"finished_reason": "stop"}, 0)]
        for labels, value in points:
            data.data_points.add(attributes=pairs(common | labels), as_double=value)
        found[row.name] = metric
    for name, labels, value in (
        ("gen_ai.client.token.usage", {"gen_ai.token.type": "output"}, TOKENS),
        ("gen_ai.server.request.duration", {}, E2E),
        ("gen_ai.server.time_per_output_token", {}, TPOT),
        ("gen_ai.server.time_to_first_token", {}, TTFT),
    ):
        metric = Metric(name=name)
        metric.histogram.data_points.add(
            attributes=pairs({"gen_ai.provider.name": "vllm", **labels}),
            count=1,
            sum=value,
            bucket_counts=[1, 0],
            explicit_bounds=[100.0],
        )
        found[name] = metric
    return found


def right() -> Case:
    """The case that is right in every cell."""
    sent = chat()
    return Case(
        RECIPES["vllm-0.32.0"],
        LAUNCH,
        SCENARIOS["chat"],
        [Exchange(sent, told(sent), right_spans())],
        after=Reported(right_metrics()),
        page_after=parse(PAGE),
    )


def judged(case: Case) -> dict[str, State]:
    """The state of every cell."""
    return {column: cell.state for column, cell in (spans.cells(case) | metrics.cells(case)).items()}


def test_a_load_that_was_reported_as_it_was_is_right_in_every_cell() -> None:
    cells = spans.cells(right()) | metrics.cells(right())
    assert {column: cell.reasons for column, cell in cells.items() if cell.state is State.WRONG} == {}
    assert cells["reasoning"].state is State.NOT_APPLICABLE


def change(case: Case, index: int, name: str, value: Any) -> None:
    """Set an attribute of a span."""
    one = case.exchanges[0].spans[index]
    rest = [pair for pair in one.attributes if pair.key != name]
    del one.attributes[:]
    one.attributes.extend([*rest, *([] if value is None else pairs({name: value}))])


def drop(case: Case, index: int) -> None:
    """Take a span away."""
    del case.exchanges[0].spans[index]


def late(case: Case, index: int) -> None:
    """Make a span end two seconds later."""
    case.exchanges[0].spans[index].end_time_unix_nano += 2_000_000_000


SPAN_DOCTORS: dict[str, tuple[str, Callable[[Case], Any]]] = {
    "no http span": ("http", lambda case: drop(case, 0)),
    "another status": ("http", lambda case: change(case, 0, "http.response.status_code", 500)),
    "a foreign parent": ("http", lambda case: setattr(case.exchanges[0].spans[0], "parent_span_id", b"x" * 8)),
    "longer than the client waited": ("http", lambda case: late(case, 0)),
    "no operation": ("operation", lambda case: drop(case, 1)),
    "another response id": ("operation", lambda case: change(case, 1, "gen_ai.response.id", "chatcmpl-2")),
    "usage one too many": ("operation", lambda case: change(case, 1, "gen_ai.usage.output_tokens", TOKENS + 1)),
    "another text": ("operation", lambda case: change(case, 1, "gen_ai.output.messages", message("assistant", "so"))),
    "no input": ("operation", lambda case: change(case, 1, "gen_ai.input.messages", None)),
    "an error that nobody saw": ("operation", lambda case: change(case, 1, "error.type", "engine_died")),
    "no llm_request": ("llm_request", lambda case: drop(case, 2)),
    "a token less": ("llm_request", lambda case: change(case, 2, "gen_ai.usage.output_tokens", TOKENS - 1)),
    "no latency": ("llm_request", lambda case: change(case, 2, "gen_ai.latency.time_in_queue", None)),
    "a latency of another type": ("llm_request", lambda case: change(case, 2, "gen_ai.latency.e2e", 1)),
    "an e2e beyond the client's": ("llm_request", lambda case: change(case, 2, "gen_ai.latency.e2e", 3.0)),
    "milliseconds": ("llm_request", lambda case: change(case, 2, "gen_ai.latency.time_to_first_token", TTFT * 1000)),
    "another finish reason": ("llm_request", lambda case: change(case, 2, "gen_ai.response.finish_reasons", ["stop"])),
    "no wait": ("wait", lambda case: drop(case, 3)),
    "a wait that its figure does not know": (
        "wait",
        lambda case: change(case, 2, "gen_ai.latency.time_in_queue", 0.01),
    ),
    "no prefill": ("prefill", lambda case: drop(case, 4)),
    "a prefill outside": ("prefill", lambda case: late(case, 4)),
    "no decode": ("decode", lambda case: drop(case, 5)),
    "a token event less": ("token events", lambda case: case.exchanges[0].spans[2].events.pop()),
    "no count of what is left out": (
        "token events",
        lambda case: setattr(case.exchanges[0].spans[2], "dropped_events_count", 0),
    ),
    "reasoning from nowhere": (
        "reasoning",
        lambda case: case.exchanges[0].spans.append(span("reasoning", 9, b"", 0, 1)),
    ),
}


@pytest.mark.parametrize("doctor", SPAN_DOCTORS)
def test_a_span_that_is_wrong_is_seen(doctor: str) -> None:
    column, act = SPAN_DOCTORS[doctor]
    case = right()
    act(case)
    assert judged(case)[column] is State.WRONG


@pytest.mark.parametrize("name", sorted(right_metrics()))
def test_a_metric_that_is_missing_is_seen(name: str) -> None:
    case = right()
    del case.after.metrics[name]
    assert judged(case)[name] is State.WRONG


@pytest.mark.parametrize("name", sorted(right_metrics()))
def test_a_metric_that_is_off_by_one_is_seen(name: str) -> None:
    case = right()
    metric = case.after.metrics[name]
    for point in getattr(metric, str(metric.WhichOneof("data"))).data_points:
        if metric.HasField("histogram"):
            point.sum += 1
        elif name == "vllm_iter_count":
            point.as_double = 1
        elif name == "gen_ai_vllm_prefix_cache_hits":
            pytest.skip("this page does not have it; nothing else knows the truth")
        else:
            point.as_double += 1
    assert judged(case)[name] is State.WRONG


@pytest.mark.parametrize("name", [row.name for row in contract.documented_metrics() if Line.VLLM_V1 in row.engines])
def test_a_metric_of_another_unit_or_without_its_dimension_is_seen(name: str) -> None:
    for doctor in ("unit", "dimension", "engine"):
        case = right()
        metric = case.after.metrics[name]
        if doctor == "unit":
            metric.unit = "ms"
        for point in getattr(metric, str(metric.WhichOneof("data"))).data_points:
            kept = [pair for pair in point.attributes if doctor != "dimension" or pair.key != "spanKind"]
            copies = copy.deepcopy(kept)
            del point.attributes[:]
            point.attributes.extend(copies)
            for pair in point.attributes:
                if doctor == "engine" and pair.key == "engine_index":
                    pair.value.string_value = "7"
        assert judged(case)[name] is State.WRONG


def test_an_engine_that_counts_otherwise_is_seen() -> None:
    case = right()
    page = parse(PAGE.replace(f'cache_queries_total{{engine="0"}} {PROMPT}', 'cache_queries_total{engine="0"} 99'))
    assert judged(Case(**{**vars(case), "page_after": page}))["gen_ai_vllm_prefix_cache_queries"] is State.WRONG


def test_a_case_in_which_nothing_was_sent_is_right_nowhere() -> None:
    empty = Case(RECIPES["vllm-0.32.0"], LAUNCH, SCENARIOS["chat"], [], page_after=Page())
    assert State.RIGHT not in judged(empty).values()


def test_the_table_has_every_reason_and_counts_every_cell() -> None:
    case = right()
    drop(case, 0)
    row = Row("vllm-0.32.0", "default", "chat", spans.cells(case) | metrics.cells(case))
    text = table.terminal([row])
    assert "✗ http: /v1/chat/completions: one span of the HTTP server expected, found []" in text
    assert "1 rows" in text
    assert not row.is_right
    assert "| default | chat | ✗ |" in table.markdown([row])


def test_every_documented_metric_has_a_rule() -> None:
    for row in contract.documented_metrics():
        for line in row.engines:
            assert row.name in metrics.RULES[Line(line)] or row.name in metrics.SPECIAL, row.name
