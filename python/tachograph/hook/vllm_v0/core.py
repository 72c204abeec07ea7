"""The engine: its schedulers' queues, its steps and their outputs. Once per step, never once per token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tachograph.hook.point import Point
from tachograph.hook.vllm_config import limit, served_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tachograph.hook.ring import Ring
    from tachograph.hook.vllm_v0.front import Front

ENGINE_INDEX = 0
"""V0 has no data parallelism: one engine answers to an API server, with one scheduler for each pipeline stage."""

_ENGINE = ("vllm.engine.llm_engine", "LLMEngine")
_SCHEDULER = ("vllm.core.scheduler", "Scheduler")


def core_points(ring: Ring, front: Front) -> tuple[Point, ...]:
    """What is wrapped in the process that holds the LLMEngine and its schedulers."""
    core = Core(ring)
    return (
        Point(*_ENGINE, "__init__", "everything in the engine", before=front.engine_making, after=core.made),
        Point(
            *_ENGINE,
            "_process_model_outputs",
            "tokens per sequence and step, ends of sequences",
            before=core.processing,
            after=core.processed,
        ),
        Point(*_SCHEDULER, "add_seq_group", "when sequences are queued", before=core.queueing),
        Point(
            *_SCHEDULER,
            "schedule",
            "steps: their members, duration, running, waiting and swapped sequences, KV cache usage, prompt tokens",
            before=core.scheduling,
            after=core.scheduled,
        ),
        Point(*_SCHEDULER, "_preempt", "preemptions", after=core.preempted),
        Point(
            *_SCHEDULER,
            "abort_seq_group",
            "sequences that the engine ended on abort",
            before=core.aborting,
            after=core.aborted,
        ),
    )


class Steps:
    """What we keep of one engine: its schedulers, its step count, and what was told last."""

    __slots__ = ("_cache", "_schedulers", "load", "number", "swap")

    def __init__(self, schedulers: Sequence[Any], cache: Any) -> None:
        self._schedulers = schedulers
        self._cache = cache
        self.number = 0
        self.load: tuple[int, int, float] | None = None
        self.swap: tuple[int, float] | None = None

    def look(self) -> tuple[tuple[int, int, float], tuple[int, float]]:
        """As `LLMEngine._get_stats` counts: running, waiting, KV cache in use; swapped out, CPU's KV cache in use.

        Sequence groups, and shares from 0 to 1. The CPU's cache is used by what is swapped out, and by nothing else.
        """
        running = waiting = swapped = free = 0
        for scheduler in self._schedulers:
            running += len(scheduler.running)
            waiting += len(scheduler.waiting)
            swapped += len(scheduler.swapped)
            free += scheduler.block_manager.get_num_free_gpu_blocks()
        blocks = self._cache.num_gpu_blocks
        load = (running, waiting, 1 - free / blocks if blocks else 0.0)
        return load, (swapped, self._cpu_kv_usage() if swapped else 0.0)

    def _cpu_kv_usage(self) -> float:
        blocks = self._cache.num_cpu_blocks
        free = sum(scheduler.block_manager.get_num_free_cpu_blocks() for scheduler in self._schedulers)
        return 1 - free / blocks if blocks else 0.0

    def is_idle(self) -> bool:
        """Whether no sequence is left, as `LLMEngine.has_unfinished_requests` has it."""
        return all(not (scheduler.running or scheduler.waiting or scheduler.swapped) for scheduler in self._schedulers)


class Core:
    """What the hooks of the engine do. Parameters after the known ones may come and go between versions."""

    def __init__(self, ring: Ring) -> None:
        self._probe = ring.probe

    def made(self, _note: None, _result: None, engine: Any, vllm_config: Any, *_args: Any, **_kwargs: Any) -> None:
        cache = engine.cache_config
        steps = engine._tachograph_steps = Steps(engine.scheduler, cache)
        for scheduler in engine.scheduler:
            scheduler._tachograph_steps = steps
        self._probe.engine(
            engine_index=ENGINE_INDEX,
            served_models=[served_model(vllm_config)],
            max_model_len=limit(engine.model_config, "max_model_len"),
            max_num_seqs=limit(engine.scheduler_config, "max_num_seqs"),
            max_num_batched_tokens=limit(engine.scheduler_config, "max_num_batched_tokens"),
            num_gpu_blocks=limit(cache, "num_gpu_blocks"),
            block_size=limit(cache, "block_size"),
        )

    def queueing(self, scheduler: Any, seq_group: Any, *_args: Any, **_kwargs: Any) -> None:
        self._probe.queued(seq_group.request_id, ENGINE_INDEX, len(scheduler.waiting))

    def scheduling(self, *_args: Any, **_kwargs: Any) -> int:
        start: int = self._probe.now_ns()
        return start

    def scheduled(self, start: int, result: Any, scheduler: Any, *_args: Any, **_kwargs: Any) -> None:
        outputs = result[1]
        steps: Steps = scheduler._tachograph_steps
        groups = outputs.scheduled_seq_groups
        self._step(steps, start, groups, outputs.num_prefill_groups, outputs.num_lookahead_slots)
        outputs._tachograph_step = steps.number
        if outputs.ignored_seq_groups:
            # Prompts that no step can hold: the engine answers them with an end and no token.
            ignored = [group.request_id for group in outputs.ignored_seq_groups]
            self._probe.finished(ignored, ENGINE_INDEX, "length")

    def _step(self, steps: Steps, start: int, groups: Sequence[Any], prefills: int, lookahead: int) -> None:
        load, swap = steps.look()
        figures: dict[str, float] = {}
        if groups or load != steps.load:
            steps.number += 1
            steps.load = load
            tokens = self._probe.v0_step(start, ENGINE_INDEX, steps.number, groups, prefills, lookahead, *load)
            if tokens:
                figures["prompt_tokens"] = tokens
        if swap != steps.swap:
            steps.swap = swap
            figures["swapped"], figures["cpu_kv_usage"] = swap
        if figures:
            self._probe.sample(ENGINE_INDEX, figures)

    def preempted(
        self, _note: None, _result: Any, _scheduler: Any, seq_group: Any, *_args: Any, **_kwargs: Any
    ) -> None:
        self._probe.preempted(seq_group.request_id, ENGINE_INDEX)

    def processing(self, _engine: Any, ctx: Any, *_args: Any, **_kwargs: Any) -> Any:
        """The SchedulerOutputs of the step whose outputs are about to be processed, a step late if asynchronously."""
        return ctx.output_queue[0].scheduler_outputs if ctx.output_queue else None

    def processed(
        self,
        outputs: Any,
        _result: None,
        engine: Any,
        _ctx: Any = None,
        request_id: str | None = None,
        *_args: Any,
        **_kwargs: Any,
    ) -> None:
        if outputs is None:
            return
        steps: Steps = engine._tachograph_steps
        number = getattr(outputs, "_tachograph_step", steps.number)
        self._probe.v0_step_outputs(ENGINE_INDEX, number, outputs.scheduled_seq_groups, request_id or None)
        if request_id is None and steps.is_idle():
            # The engine now sleeps without another step, which would have told that nothing runs.
            self._step(steps, self._probe.now_ns(), (), 0, 0)

    def aborting(self, scheduler: Any, *_args: Any, **_kwargs: Any) -> int:
        return len(scheduler._finished_requests_ids)

    def aborted(self, before: int, _result: None, scheduler: Any, *_args: Any, **_kwargs: Any) -> None:
        # The scheduler notes whatever it drops for the model's own caches, children of n > 1 by their names.
        dropped = scheduler._finished_requests_ids[before:]
        if dropped:
            self._probe.finished(dropped, ENGINE_INDEX, "abort")
