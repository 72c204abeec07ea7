"""The columns of metrics: each documented metric and each GenAI histogram, checked three ways.

Its shape on the wire against the contract; what a scenario added to it against the spans of that scenario, whose
own columns compare them with the client, and against the client's own numbers; and against the engine's `/metrics`
where it has the same quantity: counts exactly, sums of times nearly, for two clocks read them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE, Metric

import contract
from engine.recipe import MODEL_NAME, Line
from matrix.case import Case
from matrix.cell import Cell
from matrix.reported import Reported, points, value
from matrix.scenario import Serves
from sink import attributes

EXACT = 1e-6
ROUNDED_S = 2e-3
"""Sums of the same times, once as attributes and once as a metric."""
PAGE_SHARE = 0.15
PAGE_S = 0.1
"""How far the engine's own sum of times may be away: a share of it, and so much for each sequence. It reads the clock
elsewhere in its code than where the agent does, on a machine where a process may be away for a while."""

SEMCONV = (
    "gen_ai.client.token.usage",
    "gen_ai.server.request.duration",
    "gen_ai.server.time_per_output_token",
    "gen_ai.server.time_to_first_token",
)

LATENCY = "gen_ai.latency."


@dataclass(frozen=True)
class Sum:
    """A counter: where its truth is."""

    attribute: str = ""
    """Summed over the `llm_request` spans."""
    page: str = ""
    """The engine's own name, as it is on its page."""
    labels: tuple[tuple[str, str], ...] = ()
    own_labels: tuple[tuple[str, str], ...] = ()
    is_time: bool = False
    extra: Callable[[Case], float | None] | None = None
    """What the engine counts and no client asked for; None where that is not known."""
    other: Callable[[Case], float | None] | None = None
    """A number of another kind that it must be equal to; None where that is not known."""


@dataclass(frozen=True)
class Level:
    """A gauge, or a counter that is one by nature: what it must be once nothing runs any more, and how high it goes."""

    page: str = ""
    at_rest: float | None = None
    high: Callable[[Case], float] | None = None
    """It must have been above zero in a busy scenario, and never above this."""


def spent(attribute: str, page: str, extra: Callable[[Case], float | None] | None = None) -> Sum:
    """A sum of times."""
    return Sum(f"{LATENCY}{attribute}", page, is_time=True, extra=extra)


def prompts(case: Case) -> float | None:
    """Prompt tokens, once for each sequence, as the engine told the client."""
    told = [
        (exchange.told.input_tokens, exchange.sent.choices) for exchange in case.exchanges if exchange.told.sequences
    ]
    if any(tokens is None for tokens, _ in told):
        return None
    return sum((tokens or 0) * choices for tokens, choices in told)


def generated(case: Case) -> float | None:
    """Generated tokens, as the engine told the client."""
    if case.launch.serves is not Serves.TEXT:
        return 0
    told = [exchange.told.output_tokens for exchange in case.exchanges if exchange.told.sequences]
    return None if any(tokens is None for tokens in told) else sum(tokens or 0 for tokens in told)


def both(case: Case) -> float | None:
    """All tokens."""
    one, other = prompts(case), generated(case)
    return None if one is None or other is None else one + other


def asked(field: str) -> Callable[[Case], float | None]:
    """A parameter of the request, summed over the sequences that it was asked for."""

    def of(case: Case) -> float | None:
        if case.launch.serves is not Serves.TEXT:
            return None
        return float(sum(exchange.sent.body.get(field, 0) * exchange.told.sequences for exchange in case.exchanges))

    return of


def asked_n(case: Case) -> float | None:
    """The parameter n, as the engine counts it: for each prompt of each request."""
    return sum(exchange.told.sequences for exchange in case.exchanges)


def warmed(case: Case) -> float | None:
    """Prompts that SGLang first reads once more into its cache, before n > 1 of them."""
    several = [exchange for exchange in case.exchanges if exchange.sent.choices > 1]
    return float(sum(exchange.told.input_tokens or 0 for exchange in several))


def warm_ups(case: Case) -> float | None:
    """How often it does that."""
    return sum(exchange.sent.choices > 1 for exchange in case.exchanges)


def cached(case: Case) -> float | None:
    """What it finds in its cache then, it does not tell."""
    return None if warm_ups(case) else 0.0


def pooled(case: Case) -> float | None:
    """V0 counts a generated token for each prompt that it pooled; there is none."""
    return 0.0 if case.launch.serves is Serves.TEXT else float(case.sequences)


def preempted(case: Case) -> float | None:
    """What comes after a preemption vLLM counts in ways of its own and does not tell: V0 the prompt and the first token
    once more, V1 the second wait as time of decode."""
    return None if "preempts" in case.scenario.marks else 0.0


def pooled_first(case: Case) -> float | None:
    """The older V1 takes an answer of pooling for a first token."""
    return 0.0 if case.launch.serves is Serves.TEXT else None


def once(count: Callable[[Case], float | None]) -> Callable[[Case], float | None]:
    """The same where no prompt is computed again."""
    return lambda case: None if preempted(case) is None else count(case)


def streamed(case: Case) -> float | None:
    """SGLang looks at the time between tokens where it streams them; its older versions take the end of an answer that
    is not streamed for its first token."""
    return 0.0 if all(exchange.sent.body.get("stream") for exchange in case.exchanges) else None


def gaps(case: Case) -> float | None:
    """All times between tokens: from the first one to the last one of each sequence."""
    facts = [attributes(span.attributes) for span in case.llm_requests]
    first = f"{LATENCY}time_to_first_token"
    return float(sum(have[f"{LATENCY}e2e"] - have[first] for have in facts if first in have))


def served(case: Case) -> float | None:
    """Sequences that ended."""
    return case.sequences


def streams(case: Case) -> float:
    """Sequences that can run at once."""
    return case.sequences


def one(_: Case) -> float:
    """A share."""
    return 1.0


def many(_: Case) -> float:
    """More than any number here."""
    return 1e9


INPUT, OUTPUT = (("usageType", "input"),), (("usageType", "output"),)
TOKENS = f"{LATENCY}time_per_output_token"

VLLM: dict[str, list[Sum | Level]] = {
    "genai_llm_first_token_seconds": [
        spent("time_to_first_token", "vllm:time_to_first_token_seconds_sum", pooled_first)
    ],
    "gen_ai_server_request_duration": [spent("e2e", "vllm:e2e_request_latency_seconds_sum")],
    "llm_usage_tokens": [
        Sum("gen_ai.usage.input_tokens", "vllm:prompt_tokens_total", own_labels=INPUT, other=prompts),
        Sum("gen_ai.usage.output_tokens", "vllm:generation_tokens_total", own_labels=OUTPUT, other=generated),
    ],
    "gen_ai_server_time_per_output_token": [
        spent("time_per_output_token", "vllm:request_time_per_output_token_seconds_sum"),
    ],
}
RULES: dict[Line, dict[str, list[Sum | Level]]] = {
    Line.VLLM_V1: VLLM
    | {
        "gen_ai_vllm_num_requests_running": [Level("vllm:num_requests_running", 0, streams)],
        "gen_ai_vllm_num_requests_waiting": [Level("vllm:num_requests_waiting", 0)],
        "gen_ai_vllm_kv_cache_usage_perc": [Level("vllm:kv_cache_usage_perc", 0, one)],
        "gen_ai_vllm_prefix_cache_queries": [Sum(page="vllm:prefix_cache_queries_total")],
        "gen_ai_vllm_prefix_cache_hits": [Sum(page="vllm:prefix_cache_hits_total")],
        "gen_ai_vllm_num_preemptions": [Sum("tachograph.preemptions", "vllm:num_preemptions_total")],
        "gen_ai_vllm_prompt_tokens": [Sum("gen_ai.usage.input_tokens", "vllm:prompt_tokens_total", other=prompts)],
        "gen_ai_vllm_generation_tokens": [
            Sum("gen_ai.usage.output_tokens", "vllm:generation_tokens_total", other=generated)
        ],
        "gen_ai_vllm_request_params_n": [Sum(page="vllm:request_params_n_sum", other=asked_n)],
        "gen_ai_vllm_request_params_max_tokens": [
            Sum(page="vllm:request_params_max_tokens_sum", other=asked("max_tokens"))
        ],
        "gen_ai_vllm_request_queue_time_seconds": [
            spent("time_in_queue", "vllm:request_queue_time_seconds_sum", preempted)
        ],
        "gen_ai_vllm_request_prefill_time_seconds": [
            spent("time_in_model_prefill", "vllm:request_prefill_time_seconds_sum", preempted)
        ],
        "gen_ai_vllm_request_decode_time_seconds": [
            spent("time_in_model_decode", "vllm:request_decode_time_seconds_sum", preempted)
        ],
        "gen_ai_vllm_request_inference_time_seconds": [
            spent("time_in_model_inference", "vllm:request_inference_time_seconds_sum", preempted)
        ],
    },
    Line.VLLM_V0: VLLM
    | {
        "genai_llm_first_token_seconds": [
            spent("time_to_first_token", "vllm:time_to_first_token_seconds_sum", preempted)
        ],
        "llm_usage_tokens": [
            Sum(
                "gen_ai.usage.input_tokens",
                "vllm:prompt_tokens_total",
                own_labels=INPUT,
                extra=preempted,
                other=prompts,
            ),
            Sum(
                "gen_ai.usage.output_tokens",
                "vllm:generation_tokens_total",
                own_labels=OUTPUT,
                extra=pooled,
                other=generated,
            ),
        ],
        "gpu_cache_usage_sys": [Level("vllm:gpu_cache_usage_perc", 0, one)],
        "cpu_cache_usage_sys": [Level("", 0)],
        "num_running_sys": [Level("vllm:num_requests_running", 0, streams)],
        "num_waiting_sys": [Level("vllm:num_requests_waiting", 0)],
        "num_swapped_sys": [Level("", 0)],
        "num_prompt_tokens_iter": [Sum(page="vllm:prompt_tokens_total", other=once(prompts))],
        "num_generation_tokens_iter": [
            Sum("gen_ai.usage.output_tokens", "vllm:generation_tokens_total", extra=pooled, other=generated)
        ],
        "num_tokens_iter": [Sum(other=once(both))],
        "num_preemption_iter": [Sum("tachograph.preemptions", "vllm:num_preemptions_total")],
        # V0's own histogram has an observation for each token, not for each request.
        "gen_ai_server_time_per_output_token": [spent("time_per_output_token", "")],
    },
    Line.SGLANG: {
        "sglang_num_running_reqs": [Level("", 0, streams)],
        "sglang_num_queue_reqs": [Level("", 0)],
        "sglang_num_used_tokens": [Level("", None, many)],
        "sglang_token_usage": [Level("", None, one)],
        "sglang_gen_throughput": [Level("", None, many)],
        "gen_ai_sglang_cache_hit_rate": [Level("", None)],
        "sglang_spec_accept_length": [Level("sglang:spec_accept_length", 0)],
        "prompt_tokens_total": [
            Sum("gen_ai.usage.input_tokens", "sglang:prompt_tokens_total", extra=warmed, other=prompts)
        ],
        "generation_tokens_total": [
            Sum("gen_ai.usage.output_tokens", "sglang:generation_tokens_total", other=generated)
        ],
        "gen_ai_sglang_cached_tokens_total": [
            Sum("gen_ai.usage.cache_read.input_tokens", "sglang:cached_tokens_total", extra=cached)
        ],
        "llm_usage_tokens": [
            Sum(
                "gen_ai.usage.input_tokens", "sglang:prompt_tokens_total", own_labels=INPUT, extra=warmed, other=prompts
            ),
            Sum("gen_ai.usage.output_tokens", "sglang:generation_tokens_total", own_labels=OUTPUT, other=generated),
        ],
        "gen_ai_server_time_to_first_token": [
            spent("time_to_first_token", "sglang:time_to_first_token_seconds_sum", streamed)
        ],
        "gen_ai_server_time_per_output_token": [
            spent("time_per_output_token", "sglang:request_time_per_output_token_seconds_sum")
        ],
        "sglang_inter_token_latency_seconds": [
            Sum(page="sglang:inter_token_latency_seconds_sum", is_time=True, extra=streamed, other=gaps)
        ],
        "gen_ai_server_request_duration": [spent("e2e", "sglang:e2e_request_latency_seconds_sum")],
        "num_requests_total": [Sum(page="sglang:num_requests_total", extra=warm_ups, other=served)],
    },
}
"""What each documented metric must be; the two of vLLM that need more than a rule are below."""


def shape(row: contract.Documented, metric: Metric, case: Case) -> Iterator[str]:
    """Name, type, unit and dimensions on the wire."""
    if metric.unit != row.unit:
        yield f"unit {metric.unit!r}, documented {row.unit!r}"
    if row.type == "counter":
        if not (
            metric.HasField("sum")
            and metric.sum.is_monotonic
            and metric.sum.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
        ):
            yield "not a cumulative monotonic sum"
    elif not metric.HasField("gauge"):
        yield "not a gauge"
    expected = {"modelName": MODEL_NAME, "model_name": MODEL_NAME, "spanKind": "LLM"}
    if case.recipe.line is Line.SGLANG:
        expected |= {"callType": "gen_ai", "rpcType": "2100"}
    wanted = {*row.dims, *(["engine_index"] if case.recipe.line is Line.VLLM_V1 else [])}
    for point in points(metric):
        have = attributes(point.attributes)
        for name, text in expected.items():
            if have.get(name) != text:
                yield f"{name}: expected {text!r}, found {have.get(name)!r}"
        if missing := wanted - have.keys():
            yield f"without {sorted(missing)}"
    sets = [tuple(sorted(attributes(point.attributes).items())) for point in points(metric)]
    if len(sets) != len(set(sets)):
        yield "two points with the same attributes"
    if case.recipe.line is Line.VLLM_V1:
        found = {attributes(point.attributes).get("engine_index") for point in points(metric)}
        if found != {str(index) for index in range(case.launch.engines)}:
            yield f"engine_index {sorted(map(str, found))} of {case.launch.engines} engines"


def added(case: Case, name: str, labels: dict[str, str]) -> float:
    """What the scenario added to a counter."""
    return (case.after.total(name, **labels) or 0.0) - (case.before.total(name, **labels) or 0.0)


def added_on_page(case: Case, name: str, labels: dict[str, str]) -> float | None:
    """The same of the engine's own; None where it has no such metric."""
    after = case.page_after.total(name, **labels)
    return None if after is None else after - (case.page_before.total(name, **labels) or 0.0)


def of_spans(case: Case, attribute: str) -> float:
    """An attribute summed over the `llm_request` spans."""
    return sum(attributes(span.attributes).get(attribute) or 0 for span in case.llm_requests)


def check_sum(name: str, rule: Sum, case: Case) -> Iterator[str]:
    """A counter against spans, client and page."""
    found = added(case, name, dict(rule.own_labels))
    label = f" {dict(rule.own_labels)}" if rule.own_labels else ""
    near = ROUNDED_S * max(1, case.sequences) if rule.is_time else EXACT
    if rule.attribute and abs(of_spans(case, rule.attribute) - found) > near:
        yield f"{found:g}{label}, but {of_spans(case, rule.attribute):g} on the spans"
    # What a client that went away was not told any more, the engine still made.
    expected = None if case.aborted or rule.other is None else rule.other(case)
    if expected is not None and abs(expected - found) > near:
        yield f"{found:g}{label}, but {expected:g} by what was sent and told"
    if rule.is_time and not 0 <= found <= case.client_s + case.sequences:
        yield f"{found:g} s, but all clients together waited {case.client_s:.3f} s"
    # Engines make no statistics of what a client did not wait for.
    own = None if case.aborted or not rule.page else added_on_page(case, rule.page, dict(rule.labels))
    extra = rule.extra(case) if rule.extra else 0.0
    if own is not None and extra is not None:
        own -= extra
        far = max(PAGE_SHARE * own, PAGE_S * case.sequences) if rule.is_time else EXACT
        if abs(own - found) > far:
            yield f"{found:g}{label}, but {own:g} by the engine's own {rule.page}"


def check_level(name: str, rule: Level, case: Case) -> Iterator[str]:
    """A level at rest, and while the scenario ran."""
    found = case.after.total(name)
    if rule.at_rest is not None and found != rule.at_rest:
        yield f"{found} at rest, expected {rule.at_rest:g}"
    own = case.page_after.total(rule.page) if rule.page else None
    if own is not None and found is not None and abs(own - found) > EXACT:
        yield f"{found:g} at rest, but {own:g} by the engine's own {rule.page}"
    seen = [level for report in case.during if (level := report.total(name)) is not None]
    if any(level < 0 for level in seen):
        yield f"{min(seen):g} while it ran"
    if rule.high and seen and max(seen) > rule.high(case) * case.launch.engines:
        yield f"{max(seen):g} while it ran, at most {rule.high(case):g} is possible"
    if rule.high and "busy" in case.scenario.marks and not (seen and max(seen) > 0):
        yield "never above zero while many sequences ran"


def iterations(case: Case) -> Iterator[str]:
    """Steps: no fewer than the longest answer needs, no more than one for each token and each prompt."""
    found = added(case, "vllm_iter_count", {})
    outputs = [attributes(span.attributes).get("gen_ai.usage.output_tokens") or 0 for span in case.llm_requests]
    least = max(outputs, default=0)
    if not least <= found:
        yield f"{found:g}, but one answer has {least} tokens"
    most = of_spans(case, "tachograph.steps")
    if found > most:
        yield f"{found:g}, but all sequences were in {most:g} steps together"
    if case.sequences and not found:
        yield "none, though sequences were served"


def success(case: Case) -> Iterator[str]:
    """Ends by reason, as told."""
    name, page = "gen_ai_vllm_request_success", "vllm:request_success_total"
    for reason in ("stop", "length", "abort"):
        found = added(case, name, {"finished_reason": reason})
        told = sum(exchange.told.finish_reasons.count(reason) for exchange in case.exchanges if exchange.is_whole)
        if case.launch.serves is not Serves.TEXT:
            continue
        if not case.aborted and found != told:
            yield f"{reason}: {found:g}, the client was told {told}"
        own = added_on_page(case, page, {"finished_reason": reason})
        if not case.aborted and own is not None and own != found:
            yield f"{reason}: {found:g}, but {own:g} by the engine's own {page}"
    everything = added(case, name, {})
    if everything != case.sequences:
        yield f"{everything:g} ended, {case.sequences} were served"


def reports(case: Case) -> Iterator[str]:
    """SGLang's scheduler reports at every prefill, so at least once for a scenario that reached it."""
    found = added(case, "sglang_log_count", {})
    if case.sequences and not found:
        yield "no report, though sequences were served"
    if found < 0:
        yield f"{found:g}: went back"


SPECIAL: dict[str, Callable[[Case], Iterator[str]]] = {
    "vllm_iter_count": iterations,
    "gen_ai_vllm_request_success": success,
    "sglang_log_count": reports,
}


def histogram(name: str, case: Case) -> Iterator[str]:
    """A GenAI histogram: an observation for each request, and the sum of what the operation spans say."""
    attribute, labels = {
        "gen_ai.client.token.usage": ("gen_ai.usage.output_tokens", {"gen_ai.token.type": "output"}),
        "gen_ai.server.request.duration": (f"{LATENCY}e2e", {}),
        "gen_ai.server.time_per_output_token": (f"{LATENCY}time_per_output_token", {}),
        "gen_ai.server.time_to_first_token": (f"{LATENCY}time_to_first_token", {}),
    }[name]
    if case.launch.serves is not Serves.TEXT and "output" in labels.values():
        attribute, labels = "gen_ai.usage.input_tokens", {"gen_ai.token.type": "input"}
    if name not in case.after.metrics:
        yield "not reported"
        return
    served = [one for exchange in case.exchanges if exchange.told.sequences for one in exchange.operations]
    if name.startswith("gen_ai.server.time"):
        # A request that did not succeed has no time of its own there.
        served = [one for one in served if "error.type" not in attributes(one.attributes)]
    values = [attributes(span.attributes).get(attribute) for span in served]
    expected = [number for number in values if number]
    provider = {"gen_ai.provider.name": case.recipe.line.provider}
    count = (case.after.count(name, **labels, **provider) or 0) - (case.before.count(name, **labels, **provider) or 0)
    refused = sum(exchange.sent.status != 200 for exchange in case.exchanges)
    extra = refused if name == "gen_ai.server.request.duration" else 0
    if count != len(expected) + extra:
        yield f"{count:g} observations, {len(expected) + extra} expected"
    if not extra and abs(added(case, name, labels) - sum(expected)) > ROUNDED_S * max(1, len(expected)):
        yield f"sum {added(case, name, labels):g}, but {sum(expected):g} on the operation spans"
    for point in case.after.metrics[name].histogram.data_points:
        if point.count != sum(point.bucket_counts) or len(point.bucket_counts) != len(point.explicit_bounds) + 1:
            yield "buckets do not add up"


def why_absent(name: str, case: Case, after: Reported) -> str:
    """Why a metric has no value in a scenario, empty where it must have one."""
    tokens = {"gen_ai.server.time_per_output_token", "gen_ai.server.time_to_first_token"}
    if name in tokens and case.launch.serves is not Serves.TEXT and name not in after.metrics:
        return "pooling makes no tokens"
    return ""


def documented(case: Case) -> list[contract.Documented]:
    """The documented metrics of the engine's line."""
    return [row for row in contract.documented_metrics() if case.recipe.line in row.engines]


def faults(row: contract.Documented, case: Case) -> Iterator[str]:
    """What is wrong with a documented metric in a scenario."""
    metric = case.after.metrics.get(row.name)
    if metric is None or not points(metric):
        yield "not reported"
        return
    yield from shape(row, metric, case)
    if any(value(point) < 0 for point in points(metric)):
        yield "below zero"
    if row.name in SPECIAL:
        yield from SPECIAL[row.name](case)
    for rule in RULES[case.recipe.line].get(row.name, []):
        yield from check_sum(row.name, rule, case) if isinstance(rule, Sum) else check_level(row.name, rule, case)
    if "preempts" in case.scenario.marks and "preemption" in row.name and not added(case, row.name, {}):
        yield "no preemption, though the KV cache holds a part of the load only"


def cells(case: Case) -> dict[str, Cell]:
    """The metric columns of a row."""
    found = {row.name: Cell.of(list(faults(row, case))) for row in documented(case)}
    for name in SEMCONV:
        why = why_absent(name, case, case.after)
        found[name] = Cell.absent(why, 0) if why else Cell.of(list(histogram(name, case)))
    return found
