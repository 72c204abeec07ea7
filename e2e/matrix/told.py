"""What an engine told its client about one request: the measure of what the agent must have seen."""

import json
from dataclasses import dataclass, field
from typing import Any

from client import Sent

CHAT = "/v1/chat/completions"
COMPLETION = "/v1/completions"
GENERATE = "/generate"

OPERATIONS = {
    CHAT: ("chat", "LLM"),
    COMPLETION: ("text_completion", "LLM"),
    GENERATE: ("text_completion", "LLM"),
    "/v1/embeddings": ("embeddings", "EMBEDDING"),
    "/rerank": ("rerank", "RERANKER"),
    "/v1/rerank": ("rerank", "RERANKER"),
    "/score": ("rerank", "RERANKER"),
    "/v1/score": ("rerank", "RERANKER"),
}
"""`gen_ai.operation.name` and `gen_ai.span.kind` of a route."""


@dataclass(frozen=True)
class Told:
    """The engine's own words. What it did not say is None."""

    sequences: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    finish_reasons: list[str] = field(default_factory=list)
    texts: list[str] | None = None
    reasoning: str = ""
    response_id: str = ""


def told(sent: Sent) -> Told:
    """What came back for a request."""
    if sent.status != 200:
        return Told(sequences=0)
    if sent.path in (CHAT, COMPLETION):
        return _openai(sent)
    if sent.path == GENERATE:
        return _generate(sent)
    return _pooled(sent)


def _sequences(sent: Sent) -> int:
    prompts = sent.body.get("prompt")
    return sent.choices * (len(prompts) if isinstance(prompts, list) else 1)


def _openai(sent: Sent) -> Told:
    usage = sent.usage or {}
    details = usage.get("completion_tokens_details") or {}
    return Told(
        sequences=_sequences(sent),
        input_tokens=usage.get("prompt_tokens"),
        output_tokens=_output_tokens(sent),
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
        reasoning_tokens=usage.get("reasoning_tokens") or details.get("reasoning_tokens"),
        finish_reasons=sent.finish_reasons,
        texts=None if sent.aborted or not sent.texts else sent.texts,
        reasoning=sent.reasoning,
        response_id=sent.response_id,
    )


def _output_tokens(sent: Sent) -> int | None:
    """As the usage says; V0's leaves out a token of each of several choices, so where all were cut, as asked."""
    if sent.choices > 1 and sent.body.get("ignore_eos") and set(sent.finish_reasons) == {"length"}:
        return int(sent.body["max_tokens"]) * _sequences(sent)
    tokens: int | None = (sent.usage or {}).get("completion_tokens")
    return tokens


def _generate(sent: Sent) -> Told:
    """SGLang's own route: an answer, a list of them, or events that each carry the whole text so far."""
    if sent.body.get("stream"):
        events = [line[6:] for line in sent.raw.splitlines() if line.startswith("data: ") and "[DONE]" not in line]
        answers = [json.loads(events[-1])] if events else []
    else:
        answer = json.loads(sent.raw)
        answers = answer if isinstance(answer, list) else [answer]
    facts: list[dict[str, Any]] = [one["meta_info"] for one in answers]
    return Told(
        sequences=len(facts),
        input_tokens=sum(one["prompt_tokens"] for one in facts),
        output_tokens=sum(one["completion_tokens"] for one in facts),
        cached_tokens=sum(one.get("cached_tokens", 0) for one in facts),
        finish_reasons=[one["finish_reason"]["type"] for one in facts],
        texts=[one["text"] for one in answers],
        response_id=facts[0]["id"] if len(facts) == 1 else "",
    )


def _pooled(sent: Sent) -> Told:
    """Embeddings and scores: a sequence for each text, or for each pair of them."""
    answer = json.loads(sent.raw)
    given = sent.body.get("input") or sent.body.get("documents") or sent.body.get("text_2") or sent.body.get("items")
    usage = answer.get("usage") or {} if isinstance(answer, dict) else {}
    return Told(
        sequences=len(given) if isinstance(given, list) else 1,
        # Some versions tell the total only, which for a request without output is the same.
        input_tokens=usage.get("prompt_tokens") or usage.get("total_tokens"),
        response_id=answer.get("id") or "" if isinstance(answer, dict) else "",
    )
