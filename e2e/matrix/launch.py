"""Launches: which engines are started, with which flags, and what they are then asked."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.recipe import RECIPES, Line, Recipe
from matrix.scenario import SCENARIOS, Scenario, Serves

OWN = frozenset({"reasons", "preempts", "offline"})
"""Scenarios that need a launch of their own."""
CORE = ("chat", "chat stream", "completion stream", "n=2", "stop string", "refused", "aborted", "generate", "burst")
"""What every launch that is not about one thing alone is asked, and all that CI asks."""
WHOLE = tuple(name for name, one in SCENARIOS.items() if Serves.TEXT in one.serves and not one.marks & OWN)

LEVEL = "OTEL_INSTRUMENTATION_VLLM_TRACING_LEVEL"
EVENT_LIMIT = 16
"""Token events of a span, fewer than most answers have tokens, so that what is left out is there to be counted."""


@dataclass(frozen=True)
class Launch:
    """One way to start an engine."""

    name: str
    serves: Serves
    scenarios: tuple[str, ...]
    flags: dict[Line, tuple[str, ...]]
    """Its flags by engine line; a line that is not here has no such launch."""
    kind: dict[Line, str] = field(default_factory=dict)
    """The kind of model, where it is not the one for chats."""
    level: int = 2
    only: frozenset[str] = frozenset()
    """The engines that are started so, where it is not every one of the line."""
    engines: int = 1
    """Engine instances (data-parallel ranks)."""
    environment: dict[str, str] = field(default_factory=dict)
    is_offline: bool = False
    """Whether it is a program that uses the engine as a library."""

    def is_for(self, recipe: Recipe) -> bool:
        """Whether that engine is started so."""
        return recipe.line in self.flags and (not self.only or recipe.name in self.only)


V0, V1, SGLANG = Line.VLLM_V0, Line.VLLM_V1, Line.SGLANG
NEWEST = frozenset({"vllm-0.32.0", "vllm-0.8.5.post2", "sglang-0.5.23"})
"""The launches that differ in the agent more than in the engine are tried on one version of each line."""

LAUNCHES: tuple[Launch, ...] = (
    Launch("default", Serves.TEXT, WHOLE, {V0: ("--dtype", "bfloat16"), V1: (), SGLANG: ("--enable-metrics",)}),
    Launch(
        "level 1, reasoning",
        Serves.TEXT,
        ("reasoning", "reasoning stream", "completion"),
        {
            V0: ("--dtype", "bfloat16", "--enable-reasoning", "--reasoning-parser", "deepseek_r1"),
            V1: ("--reasoning-parser", "deepseek_r1"),
            SGLANG: ("--reasoning-parser", "qwen3", "--enable-metrics", "--enable-cache-report"),
        },
        level=1,
    ),
    Launch(
        "tiny KV cache",
        Serves.TEXT,
        ("preemption",),
        {
            V0: ("--dtype", "bfloat16", "--block-size", "16", "--num-gpu-blocks-override", "129"),
            V1: ("--num-gpu-blocks-override", "17"),
            SGLANG: ("--enable-metrics", "--max-total-tokens", "2100"),
        },
        level=1,
    ),
    Launch("level 0", Serves.TEXT, CORE, {V0: ("--dtype", "bfloat16"), V1: (), SGLANG: ()}, level=0, only=NEWEST),
    Launch(
        "no engine stats",
        Serves.TEXT,
        CORE,
        {V0: ("--dtype", "bfloat16", "--disable-log-stats"), V1: ("--disable-log-stats",), SGLANG: ()},
    ),
    Launch(
        "dp 2",
        Serves.TEXT,
        CORE,
        {V1: ("--api-server-count", "2", "--data-parallel-size", "2"), SGLANG: ("--dp-size", "2", "--enable-metrics")},
        only=NEWEST,
        engines=2,
        environment={"SGLANG_CPU_OMP_THREADS_BIND": "0|1"},
    ),
    Launch("2 tokenizers", Serves.TEXT, CORE, {SGLANG: ("--tokenizer-worker-num", "2")}, only=NEWEST),
    Launch("offline", Serves.TEXT, ("offline",), {V0: (), V1: ()}, is_offline=True),
    Launch(
        "embed",
        Serves.EMBED,
        ("embeddings",),
        {V0: ("--task", "embed"), V1: ("--runner", "pooling"), SGLANG: ("--is-embedding", "--enable-metrics")},
        {V0: "embed", V1: "embed"},
    ),
    Launch(
        "rank",
        Serves.RANK,
        ("rerank", "score"),
        {V0: ("--task", "score"), V1: ("--runner", "pooling"), SGLANG: ("--is-embedding",)},
        {V0: "rerank", V1: "rerank"},
    ),
)

CI = ("vllm-0.8.5.post2", "vllm-0.32.0", "sglang-0.5.23")
"""One engine of each line: what CI has the time for."""


@dataclass(frozen=True)
class Start:
    """An engine to start, and what to ask it."""

    recipe: Recipe
    launch: Launch
    scenarios: tuple[Scenario, ...]


def starts(engines: list[str], launches: list[str], scenarios: list[str], ci: bool) -> Iterator[Start]:
    """What is to be started, in order; an empty list of names means all of them."""
    for recipe in RECIPES.values():
        if (engines and recipe.name not in engines) or (ci and recipe.name not in CI):
            continue
        for launch in LAUNCHES:
            if (
                not launch.is_for(recipe)
                or (launches and launch.name not in launches)
                or (ci and launch.name != "default")
            ):
                continue
            names = [name for name in launch.scenarios if not ci or name in CORE]
            wanted = [SCENARIOS[name] for name in names if not scenarios or name in scenarios]
            asked = tuple(one for one in wanted if recipe.line in one.lines and recipe.name not in one.fatal)
            if asked:
                yield Start(recipe, launch, asked)
