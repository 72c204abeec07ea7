"""Scenarios: what a client asks of an engine, and what may be expected of the answer."""

import enum
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from client import prompt
from engine.recipe import MODEL_NAME, Line
from matrix.told import CHAT, COMPLETION, GENERATE

USAGE = {"stream": True, "stream_options": {"include_usage": True}}
SYSTEM = "You answer with words that do not exist."


class Serves(enum.Enum):
    """What a launch of an engine can be asked."""

    TEXT = "chats and completions"
    EMBED = "embeddings"
    RANK = "scores of pairs"


@dataclass(frozen=True)
class Ask:
    """One request to send."""

    path: str
    body: dict[str, Any]
    abort_after: int | None = None


@dataclass(frozen=True)
class Scenario:
    """A way to use an engine."""

    name: str
    serves: frozenset[Serves]
    asks: Callable[[random.Random, Line], Iterator[Ask]]
    concurrency: int = 4
    lines: frozenset[Line] = frozenset(Line)
    fatal: frozenset[str] = field(default_factory=frozenset)
    """Engines that die of it, by a fault of their own."""
    marks: frozenset[str] = field(default_factory=frozenset)
    """What must be true of it beyond its own numbers, by name: see `Mark` in the checks."""


TEXT = frozenset({Serves.TEXT})


def chat(rng: random.Random, **change: Any) -> Ask:
    """A chat whose length is given, so that an end by itself does not make it a different scenario."""
    body: dict[str, Any] = {
        "model": MODEL_NAME,
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt(rng, 24)}],
        "max_tokens": rng.randint(8, 24),
        "temperature": round(rng.uniform(0.2, 1.2), 2),
        "seed": rng.randint(0, 1 << 30),
        "ignore_eos": True,
    }
    return Ask(CHAT, body | change)


def completion(rng: random.Random, **change: Any) -> Ask:
    """A completion of the same kind."""
    body = dict(chat(rng).body)
    del body["messages"]
    return Ask(COMPLETION, body | {"prompt": prompt(rng, 20)} | change)


def generate(rng: random.Random, **change: Any) -> Ask:
    """SGLang's own route."""
    sampling = {"max_new_tokens": rng.randint(8, 24), "temperature": 0.8, "ignore_eos": True}
    return Ask(GENERATE, {"text": prompt(rng, 20), "sampling_params": sampling} | change)


def aborted(rng: random.Random, line: Line) -> Iterator[Ask]:
    """Clients that go away after four chunks of a long answer."""
    for ask in each(chat, 3, stream=True, max_tokens=1500)(rng, line):
        yield Ask(ask.path, ask.body, abort_after=4)


def refused(rng: random.Random, _: Line) -> Iterator[Ask]:
    """What no engine takes."""
    yield chat(rng, temperature=-1)
    yield chat(rng, max_tokens=-5)


def ranked(_: random.Random, line: Line) -> Iterator[Ask]:
    """Reranking of three documents."""
    body = {"model": MODEL_NAME, "query": "kato miren", "documents": ["solver ingal", "estpro", "conder lyment tion"]}
    yield Ask("/v1/rerank" if line is Line.SGLANG else "/rerank", body)
    yield Ask("/v1/rerank", body | {"query": "render"})


def scored(_: random.Random, line: Line) -> Iterator[Ask]:
    """Scores of two texts against one."""
    if line is Line.SGLANG:
        yield Ask("/v1/score", {"model": MODEL_NAME, "query": "kato", "items": ["a b", "c"], "label_token_ids": [5, 6]})
    else:
        yield Ask("/score", {"model": MODEL_NAME, "text_1": "kato miren", "text_2": ["solver ingal", "estpro"]})


def embedded(rng: random.Random, _: Line) -> Iterator[Ask]:
    """One text, and three."""
    yield Ask("/v1/embeddings", {"model": MODEL_NAME, "input": prompt(rng, 12)})
    yield Ask("/v1/embeddings", {"model": MODEL_NAME, "input": [prompt(rng, 8) for _ in range(3)]})


def each(ask: Callable[..., Ask], count: int, **change: Any) -> Callable[[random.Random, Line], Iterator[Ask]]:
    """`count` requests of a kind."""
    return lambda rng, _: (ask(rng, **change) for _ in range(count))


def texts(rng: random.Random) -> list[str]:
    """A list prompt."""
    return [prompt(rng, 6), prompt(rng, 9)]


SGLANG = frozenset({Line.SGLANG})

SCENARIOS: dict[str, Scenario] = {
    one.name: one
    for one in (
        Scenario("chat", TEXT, each(chat, 4)),
        Scenario("chat stream", TEXT, each(chat, 4, **USAGE)),
        Scenario("completion", TEXT, each(completion, 3)),
        Scenario("completion stream", TEXT, each(completion, 3, **USAGE)),
        Scenario("n=2", TEXT, each(chat, 2, n=2, **USAGE)),
        Scenario("list prompt", TEXT, lambda rng, _: (completion(rng, prompt=texts(rng)) for _ in range(2))),
        Scenario("stop string", TEXT, each(chat, 3, stop=["e"], ignore_eos=False, max_tokens=200)),
        Scenario("length", TEXT, each(chat, 2, max_tokens=1)),
        Scenario(
            "prefix cached", TEXT, lambda rng, _: iter([completion(rng, prompt="kato miren solver " * 60)] * 2), 1
        ),
        Scenario("refused", TEXT, refused),
        Scenario("aborted", TEXT, aborted),
        Scenario("burst", TEXT, each(chat, 12, max_tokens=160, **USAGE), 12, marks=frozenset({"busy"})),
        Scenario("generate", TEXT, each(generate, 3), lines=SGLANG),
        Scenario("generate stream", TEXT, each(generate, 3, stream=True), lines=SGLANG),
        Scenario("reasoning", TEXT, each(chat, 2), marks=frozenset({"reasons"})),
        Scenario("reasoning stream", TEXT, each(chat, 3, **USAGE), marks=frozenset({"reasons"})),
        Scenario("preemption", TEXT, each(chat, 8, max_tokens=500, **USAGE), 8, marks=frozenset({"busy", "preempts"})),
        Scenario("offline", TEXT, lambda _, __: iter(()), marks=frozenset({"offline"})),
        Scenario("embeddings", frozenset({Serves.EMBED}), embedded),
        Scenario("rerank", frozenset({Serves.RANK}), ranked),
        # `convert_logprob_style` asks the output of an embedding for what it does not have.
        Scenario("score", frozenset({Serves.RANK}), scored, fatal=frozenset({"sglang-0.5.8", "sglang-0.5.10"})),
    )
}
