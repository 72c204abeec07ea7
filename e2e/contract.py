"""The contract with users, as tests compare with it: names and types of attributes, and the documented metrics.

Written down here a second time on purpose, apart from the product's own tables: a name that changes there by mistake
fails here.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LLM_REQUEST: dict[str, type] = {
    "gen_ai.latency.e2e": float,
    "gen_ai.latency.time_in_queue": float,
    "gen_ai.latency.time_in_scheduler": float,
    "gen_ai.latency.time_to_first_token": float,
    "gen_ai.latency.time_in_model_prefill": float,
    "gen_ai.latency.time_in_model_decode": float,
    "gen_ai.latency.time_in_model_inference": float,
    "gen_ai.request.id": str,
    "gen_ai.usage.input_tokens": int,
    "gen_ai.usage.output_tokens": int,
    "gen_ai.usage.cache_read.input_tokens": int,
    "gen_ai.response.finish_reasons": list,
    "tachograph.preemptions": int,
    "tachograph.engine_index": int,
    "tachograph.queue_depth_at_arrival": int,
    "tachograph.steps": int,
}
LLM_REQUEST_OPTIONAL: dict[str, type] = {
    "gen_ai.latency.time_per_output_token": float,
    "gen_ai.usage.reasoning.output_tokens": int,
    "tachograph.choice_index": int,
    "tachograph.token.offsets": bytes,
    "tachograph.outcome": str,
}
OPERATION: dict[str, type] = {
    "gen_ai.operation.name": str,
    "gen_ai.provider.name": str,
    "gen_ai.request.model": str,
    "gen_ai.response.model": str,
    "gen_ai.response.id": str,
    "gen_ai.request.max_tokens": int,
    "gen_ai.request.temperature": float,
    "gen_ai.request.seed": int,
    "gen_ai.request.stream": bool,
    "gen_ai.span.kind": str,
    "gen_ai.usage.input_tokens": int,
    "gen_ai.usage.output_tokens": int,
    "gen_ai.response.finish_reasons": list,
}


OPERATION_OPTIONAL: dict[str, type] = {
    "gen_ai.request.top_p": float,
    "gen_ai.request.top_k": int,
    "gen_ai.request.choice.count": int,
    "gen_ai.request.stop_sequences": list,
    "gen_ai.request.frequency_penalty": float,
    "gen_ai.request.presence_penalty": float,
    "gen_ai.response.time_to_first_chunk": float,
    "gen_ai.request.encoding_formats": list,
    "gen_ai.embeddings.dimension.count": int,
    "gen_ai.retrieval.documents": str,
    "tachograph.request.body.cut_size": int,
    "tachograph.response.body.cut_size": int,
    "gen_ai.usage.cache_read.input_tokens": int,
    "gen_ai.usage.reasoning.output_tokens": int,
    "gen_ai.latency.e2e": float,
    "gen_ai.latency.time_in_queue": float,
    "gen_ai.latency.time_in_scheduler": float,
    "gen_ai.latency.time_to_first_token": float,
    "gen_ai.latency.time_per_output_token": float,
    "gen_ai.latency.time_in_model_prefill": float,
    "gen_ai.latency.time_in_model_decode": float,
    "gen_ai.latency.time_in_model_inference": float,
    "tachograph.outcome": str,
    "tachograph.preemptions": int,
    "tachograph.engine_index": int,
    "tachograph.queue_depth_at_arrival": int,
    "http.response.status_code": int,
}


def check(have: dict[str, Any], required: dict[str, type], optional: dict[str, type]) -> None:
    """Every required attribute is there, every attribute has its type, none is unknown."""
    missing = required.keys() - have.keys()
    assert not missing, f"missing: {sorted(missing)}; found {sorted(have)}"
    for name, value in have.items():
        kind = required.get(name) or optional.get(name)
        assert kind is not None, f"{name} is not in the contract"
        assert type(value) is kind, f"{name}: expected {kind.__name__}, found {value!r}"


@dataclass(frozen=True)
class Documented:
    """One row of the documented metrics."""

    engines: tuple[str, ...]
    name: str
    type: str
    unit: str
    dims: tuple[str, ...]


def documented_metrics() -> list[Documented]:
    """All of them."""
    with (Path(__file__).parent / "metrics.toml").open("rb") as file:
        rows = tomllib.load(file)["metric"]
    return [
        Documented(tuple(row["engine"]), row["name"], row["type"], row["unit"], tuple(row.get("dims", [])))
        for row in rows
    ]
