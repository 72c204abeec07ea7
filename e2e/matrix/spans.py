"""The columns of spans: each span of the contract, checked against what the client sent, saw and was told."""

import json
from collections.abc import Callable, Iterator, Mapping

from opentelemetry.proto.trace.v1.trace_pb2 import Span

import contract
from engine.recipe import MODEL_NAME
from matrix.case import Case, Exchange
from matrix.cell import Cell
from matrix.launch import EVENT_LIMIT
from matrix.scenario import Serves
from matrix.told import OPERATIONS
from sink import attributes

SLACK_S = 1.0
"""Clocks of client and engine are the same, but both run late on a busy machine."""
EXACT_S = 1e-3
"""Times of one clock that are sent twice: as attributes and as spans."""
NANO = 1e9


def seconds(span: Span) -> float:
    """Length of a span."""
    return float(span.end_time_unix_nano - span.start_time_unix_nano) / NANO


def is_within(inner: Span, outer: Span) -> bool:
    """Whether a span lies inside another."""
    return bool(
        outer.start_time_unix_nano <= inner.start_time_unix_nano
        and inner.end_time_unix_nano <= outer.end_time_unix_nano
    )


def http(exchange: Exchange, case: Case) -> Iterator[str]:
    """The span of the HTTP server: one, under the caller's, as long as the client waited."""
    sent = exchange.sent
    if len(exchange.https) != 1:
        yield f"one span of the HTTP server expected, found {[span.name for span in exchange.https]}"
        return
    [span] = exchange.https
    have = attributes(span.attributes)
    if span.name != f"POST {sent.path}":
        yield f"named {span.name}, not POST {sent.path}"
    if span.parent_span_id.hex() != sent.span_id:
        yield "its parent is not the caller's span"
    for name, expected in {
        "http.request.method": "POST",
        "url.path": sent.path,
        "http.response.status_code": sent.status,
        "client.address": "127.0.0.1",
    }.items():
        # A client that goes away may do so before there is a status.
        if have.get(name) != expected and not (sent.aborted and name not in have):
            yield f"{name}: expected {expected!r}, found {have.get(name)!r}"
    # A server learns no earlier that its client left than it looks.
    if not 0 < seconds(span) <= sent.seconds + case.worked_on_s(exchange) + SLACK_S:
        yield "longer than the client waited: " + f"{seconds(span):.0f} s, {sent.seconds:.1f} s"
    if span.start_time_unix_nano < sent.started_unix_ns - SLACK_S * NANO:
        yield "starts before the client sent it"


def operation(exchange: Exchange, case: Case) -> Iterator[str]:
    """Input and output: one span under the HTTP server's, with what was asked and what was answered."""
    sent, told = exchange.sent, exchange.told
    if len(exchange.operations) != 1:
        yield f"one operation span expected, found {[span.name for span in exchange.operations]}"
        return
    [span] = exchange.operations
    have = attributes(span.attributes)
    name, kind = OPERATIONS[sent.path]
    if exchange.https and span.parent_span_id != exchange.https[0].span_id:
        yield "not under the span of the HTTP server"
    asked = sent.body.get("model", MODEL_NAME)
    expected = {
        "gen_ai.operation.name": name,
        "gen_ai.span.kind": kind,
        "gen_ai.provider.name": case.recipe.line.provider,
        "gen_ai.request.model": asked,
    }
    sampling = sent.body.get("sampling_params", sent.body)
    for attribute, field in {"max_tokens": "max_tokens", "temperature": "temperature", "seed": "seed"}.items():
        if field in sampling and isinstance(sampling[field], int | float):
            expected[f"gen_ai.request.{attribute}"] = sampling[field]
    if sent.choices > 1:
        expected["gen_ai.request.choice.count"] = sent.choices
    if told.response_id:
        expected["gen_ai.response.id"] = told.response_id
    if exchange.is_whole and told.finish_reasons:
        expected["gen_ai.response.finish_reasons"] = told.finish_reasons
    for attribute, tokens in (
        ("gen_ai.usage.input_tokens", told.input_tokens),
        ("gen_ai.usage.output_tokens", told.output_tokens),
        ("gen_ai.usage.reasoning.output_tokens", told.reasoning_tokens),
    ):
        if exchange.is_whole and tokens:
            expected[attribute] = tokens
    for attribute, value in expected.items():
        if have.get(attribute) != value:
            yield f"{attribute}: expected {value!r}, found {have.get(attribute)!r}"
    if span.name != f"{have.get('gen_ai.operation.name')} {asked}":
        yield f"named {span.name}"
    yield from _outcome(exchange, span)
    yield from _text(exchange, have.get("gen_ai.output.messages"))
    yield from _input(exchange, have.get("gen_ai.input.messages"))
    if sent.body.get("stream") and exchange.is_whole:
        chunk = have.get("gen_ai.response.time_to_first_chunk")
        if chunk is None or not 0 < chunk <= (sent.first_chunk_s or 0) + SLACK_S:
            yield f"time_to_first_chunk {chunk}, the client saw it at {sent.first_chunk_s}"


def _outcome(exchange: Exchange, span: Span) -> Iterator[str]:
    sent = exchange.sent
    error = attributes(span.attributes).get("error.type")
    if sent.status != 200:
        if error != str(sent.status):
            yield f"error.type: expected {sent.status}, found {error!r}"
    elif exchange.is_whole and (error is not None or span.status.code == span.status.STATUS_CODE_ERROR):
        yield f"an error that the client did not see: {error!r}"


def _parts(messages: str, kind: str) -> list[str]:
    """The text of each message's parts of a kind."""
    return [
        "".join(part.get("content") or "" for part in message["parts"] if part["type"] == kind)
        for message in json.loads(messages)
    ]


def _text(exchange: Exchange, messages: str | None) -> Iterator[str]:
    told = exchange.told
    if not exchange.is_whole or told.texts is None:
        return
    if messages is None:
        yield "no gen_ai.output.messages"
        return
    if (found := _parts(messages, "text")) != told.texts:
        yield f"output text: the client has {told.texts!r:.120}, found {found!r:.120}"


def _input(exchange: Exchange, messages: str | None) -> Iterator[str]:
    if exchange.sent.status != 200:
        return
    body = exchange.sent.body
    words = json.dumps(body.get("messages") or body.get("prompt") or body.get("text") or "")
    if not words.strip('"'):
        return
    said = " ".join(_parts(messages, "text")) if messages else ""
    asked = (
        body.get("prompt") or body.get("text") or [one["content"] for one in body["messages"] if one["role"] == "user"]
    )
    for text in [asked] if isinstance(asked, str) else asked:
        if text not in said:
            yield f"input text: {text!r:.60} is not in {said!r:.60}"


def reasoning(exchange: Exchange, _: Case) -> Iterator[str]:
    """What the model reasoned, where it did."""
    if not exchange.told.reasoning:
        yield "the client was told no reasoning: the scenario is wrong"
        return
    spans = exchange.named("reasoning")
    if len(spans) != 1:
        yield f"one reasoning span expected, found {len(spans)}"
        return
    [span] = spans
    have = attributes(span.attributes)
    if exchange.operations and span.parent_span_id != exchange.operations[0].span_id:
        yield "not under the operation"
    text = "".join(_parts(have.get("gen_ai.output.messages", "[]"), "reasoning"))
    if text != exchange.told.reasoning:
        yield f"text: the client has {exchange.told.reasoning!r:.80}, found {text!r:.80}"
    tokens = exchange.told.reasoning_tokens
    if tokens and have.get("gen_ai.usage.reasoning.output_tokens") != tokens:
        yield f"tokens: told {tokens}, found {have.get('gen_ai.usage.reasoning.output_tokens')}"
    first = have.get("tachograph.time_to_first_reasoning_token")
    if exchange.sent.body.get("stream") and (first is None or not 0 < first <= exchange.sent.seconds):
        yield f"time to first reasoning token {first} of {exchange.sent.seconds:.3f} s"


def llm_request(exchange: Exchange, case: Case) -> Iterator[str]:
    """One span for each sequence, with the key metrics."""
    sent, told = exchange.sent, exchange.told
    if len(exchange.requests) != told.sequences:
        yield f"{told.sequences} expected, found {len(exchange.requests)}"
        return
    facts = [attributes(span.attributes) for span in exchange.requests]
    pooled = case.launch.serves is not Serves.TEXT
    required = contract.LLM_REQUEST
    if pooled or sent.aborted:
        maybe = {"gen_ai.latency.time_to_first_token", "gen_ai.response.finish_reasons"}
        required = {name: kind for name, kind in required.items() if name not in maybe}
    for span, have in zip(exchange.requests, facts, strict=True):
        if exchange.operations and span.parent_span_id != exchange.operations[0].span_id:
            yield "not under the operation"
        try:
            contract.check(have, required, contract.LLM_REQUEST | contract.LLM_REQUEST_OPTIONAL | {"error.type": str})
        except AssertionError as error:
            yield str(error)
            continue
        yield from _latencies(exchange, have, pooled, case.worked_on_s(exchange))
    if exchange.is_whole:
        yield from _tokens(exchange, facts)


def _latencies(exchange: Exchange, have: dict[str, float], pooled: bool, after_s: float) -> Iterator[str]:
    sent = exchange.sent
    e2e = have["gen_ai.latency.e2e"]
    if not 0 < e2e <= sent.seconds + after_s + SLACK_S:
        yield f"e2e {e2e:.3f} s, the client waited {sent.seconds:.3f} s"
    parts = have["gen_ai.latency.time_in_queue"] + have["gen_ai.latency.time_in_model_inference"]
    if parts > e2e + EXACT_S:
        yield f"queue and inference {parts:.4f} s are more than e2e {e2e:.4f} s"
    if not 0 <= have["gen_ai.latency.time_in_scheduler"] <= e2e:
        yield f"time_in_scheduler {have['gen_ai.latency.time_in_scheduler']} of e2e {e2e}"
    if have["gen_ai.latency.time_in_scheduler"] == 0 and not sent.aborted:
        yield "no time in the scheduler"
    if pooled or sent.aborted:
        return
    ttft = have["gen_ai.latency.time_to_first_token"]
    bound = sent.first_chunk_s if sent.first_chunk_s is not None else sent.seconds
    if not 0 < ttft <= min(e2e, bound + SLACK_S):
        yield f"TTFT {ttft:.3f} s of e2e {e2e:.3f} s; the client had something at {bound:.3f} s"
    tokens = have["gen_ai.usage.output_tokens"]
    if tokens > 1:
        expected = (e2e - ttft) / (tokens - 1)
        tpot = have.get("gen_ai.latency.time_per_output_token")
        if tpot is None or abs(tpot - expected) > EXACT_S:
            yield f"TPOT {tpot}, (e2e - TTFT) / (tokens - 1) is {expected}"


def _tokens(exchange: Exchange, facts: list[dict[str, int]]) -> Iterator[str]:
    told, prompts = exchange.told, exchange.sent.choices
    sums = {
        name: sum(have.get(f"gen_ai.usage.{name}", 0) for have in facts) for name in ("input_tokens", "output_tokens")
    }
    # A prompt is told once, and is that of each of the choices.
    if told.input_tokens is not None and sums["input_tokens"] != told.input_tokens * prompts:
        yield f"input tokens: told {told.input_tokens} x {prompts}, found {sums['input_tokens']}"
    if told.output_tokens is not None and sums["output_tokens"] != told.output_tokens:
        yield f"output tokens: told {told.output_tokens}, found {sums['output_tokens']}"
    cached = sum(have.get("gen_ai.usage.cache_read.input_tokens", 0) for have in facts)
    if told.cached_tokens is not None and cached < told.cached_tokens:
        yield f"cached tokens: told {told.cached_tokens}, found {cached}"
    if told.finish_reasons:
        reasons = sorted(reason for have in facts for reason in contract_reasons(have))
        if reasons != sorted(told.finish_reasons):
            yield f"finish reasons: told {told.finish_reasons}, found {reasons}"


def contract_reasons(have: Mapping[str, object]) -> list[str]:
    """The finish reasons on an `llm_request`."""
    reasons = have.get("gen_ai.response.finish_reasons")
    return [str(reason) for reason in reasons] if isinstance(reasons, list) else []


def stage(name: str) -> Callable[[Exchange, Case], Iterator[str]]:
    """The check of `wait`, `prefill` or `decode`."""
    latency = {"wait": "time_in_queue", "prefill": "time_in_model_prefill", "decode": "time_in_model_decode"}[name]

    def check(exchange: Exchange, case: Case) -> Iterator[str]:
        for request in exchange.requests:
            have = attributes(request.attributes)
            spans = exchange.under(request, name)
            tokens = have.get("gen_ai.usage.output_tokens", 0)
            if not spans and not (name == "decode" and tokens < 2) and not exchange.sent.aborted:
                yield f"none in an llm_request of {tokens} tokens"
            if any(not is_within(span, request) for span in spans):
                yield "outside of its llm_request"
            told = have.get(f"gen_ai.latency.{latency}", 0.0)
            found = sum(seconds(span) for span in spans)
            slack = max(EXACT_S, 0.05 * told)
            # A span ends with its parent, the attributes tell all of the engine's time: it goes on for a step or more
            # after the client left.
            after = max(0.0, have.get("gen_ai.latency.e2e", 0.0) - seconds(request)) if exchange.sent.aborted else 0.0
            if not told - after - slack <= found <= told + slack:
                yield f"{found:.4f} s long, {latency} is {told:.4f} s"
            if name == "wait" and len(spans) != 1 + have.get("tachograph.preemptions", 0) and not exchange.sent.aborted:
                yield f"{len(spans)} with {have.get('tachograph.preemptions')} preemptions"
        if not exchange.requests and exchange.told.sequences:
            yield "no llm_request to be in"

    return check


def token_events(exchange: Exchange, case: Case) -> Iterator[str]:
    """An event for each of the first tokens; the rest is a number."""
    for request in exchange.requests:
        tokens = attributes(request.attributes).get("gen_ai.usage.output_tokens", 0)
        events = [event for event in request.events if event.name == "gen_ai.token.generated"]
        if len(events) != min(tokens, EVENT_LIMIT):
            yield f"{len(events)} of {tokens} tokens, the limit is {EVENT_LIMIT}"
        if request.dropped_events_count != tokens - len(events):
            yield f"{request.dropped_events_count} left out of {tokens} with {len(events)} events"
        times = [event.time_unix_nano for event in events]
        if times != sorted(times):
            yield "times that go back"
        for index, event in enumerate(events):
            have = attributes(event.attributes)
            if have.get("gen_ai.token.index") != index:
                yield f"event {index} has index {have.get('gen_ai.token.index')}"
            missing = {
                "gen_ai.token.time_since_previous",
                "tachograph.step",
                "gen_ai.iteration.batch_size",
            } - have.keys()
            if missing:
                yield f"without {sorted(missing)}"
    if not exchange.requests and exchange.told.sequences:
        yield "no llm_request to be on"


CHECKS: dict[str, Callable[[Exchange, Case], Iterator[str]]] = {
    "http": http,
    "operation": operation,
    "reasoning": reasoning,
    "llm_request": llm_request,
    "wait": stage("wait"),
    "prefill": stage("prefill"),
    "decode": stage("decode"),
    "token events": token_events,
}


def why_absent(column: str, case: Case) -> str:
    """Why a span cannot be there, empty where it must."""
    if column == "http" and "offline" in case.scenario.marks:
        return "a program that uses the engine as a library speaks no HTTP"
    if column in ("wait", "prefill", "decode") and case.launch.level < 1:
        return "stages are of level 1 and 2"
    if column == "token events" and case.launch.level < 2:
        return "tokens are of level 2"
    if column == "reasoning" and "reasons" not in case.scenario.marks:
        return "no reasoning parser: the engine tells no reasoning apart"
    if column in ("decode", "token events") and case.launch.serves is not Serves.TEXT:
        return "pooling makes no tokens"
    if column in ("llm_request", "wait", "prefill", "decode", "token events") and case.sequences == 0:
        return "refused before the engine saw it"
    if column == "decode" and all(_is_short(exchange) for exchange in case.exchanges):
        return "one token: there is nothing after the first"
    return ""


def _is_short(exchange: Exchange) -> bool:
    return exchange.is_whole and exchange.told.output_tokens == exchange.told.sequences


def count(column: str, exchange: Exchange) -> int:
    """How many there are of what a column stands for."""
    if column == "http":
        return len(exchange.https)
    if column == "operation":
        return len(exchange.operations)
    if column == "token events":
        return sum(len(span.events) for span in exchange.requests)
    return len(exchange.named(column))


def cells(case: Case) -> dict[str, Cell]:
    """The span columns of a row."""
    found: dict[str, Cell] = {}
    for column, check in CHECKS.items():
        if why := why_absent(column, case):
            found[column] = Cell.absent(why, sum(count(column, exchange) for exchange in case.exchanges))
            continue
        faults = [f"{exchange.sent.path}: {fault}" for exchange in case.exchanges for fault in check(exchange, case)]
        found[column] = Cell.of(faults if case.exchanges else ["nothing was sent"])
    return found
