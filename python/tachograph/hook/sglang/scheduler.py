"""The scheduler: its queue, its steps and their results. Once per step, never once per token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tachograph.hook.point import Point
from tachograph.hook.sglang.config import HEALTH_CHECK, engine_index, limit, served_model, speaks
from tachograph.hook.sglang.sampling import sampling
from tachograph.hook.sglang.step import Steps

if TYPE_CHECKING:
    from tachograph._probe import SglangBatch
    from tachograph.hook.ring import Ring

_SCHEDULER = ("sglang.srt.managers.scheduler", "Scheduler")
_STREAMER = ("sglang.srt.managers.scheduler_components.output_streamer", "SchedulerOutputStreamer")
_REPORTER = ("sglang.srt.managers.scheduler_components.metrics_reporter", "SchedulerMetricsReporter")


def scheduler_points(ring: Ring) -> tuple[Point, ...]:
    """What is wrapped in a process that holds a Scheduler."""
    core = Core(ring)
    queue = "when sequences are queued, and preemptions"
    ends = "sequences that the scheduler ended outside a step"
    hits = "the cache hit rate"
    order = "which came first, the scheduler's or the tokenizer manager's view of a step's outputs"
    return (
        Point(*_SCHEDULER, "__init__", "everything in the scheduler", after=core.made),
        Point(*_SCHEDULER, "_add_request_to_queue", queue, before=core.queueing, role="queue"),
        # Until 0.4.10 what was preempted goes back this way.
        Point(*_SCHEDULER, "_extend_requests_to_queue", queue, before=core.requeueing, role="queue"),
        Point(
            *_SCHEDULER,
            "get_next_batch_to_run",
            "how long scheduling took, and when the scheduler became idle",
            before=core.scheduling,
            after=core.scheduled,
        ),
        Point(
            *_SCHEDULER,
            "run_batch",
            "steps: their members, running and waiting sequences, KV cache usage",
            before=core.running,
            after=core.ran,
        ),
        Point(
            *_SCHEDULER,
            "process_batch_result",
            "tokens per sequence and step, ends of sequences, prefix cache queries and hits",
            before=core.processing,
            after=core.processed,
        ),
        Point(*_STREAMER, "stream_output", order, before=core.streaming, role="streams"),
        Point(*_SCHEDULER, "stream_output", order, before=core.streaming, role="streams"),
        Point(*_SCHEDULER, "send_abort_output", ends, before=core.ending, role="ends"),
        Point(*_SCHEDULER, "abort_request", ends, before=core.aborting, after=core.aborted, role="ends"),
        Point(*_REPORTER, "report_prefill_stats", hits, before=core.reporting, role="prefill reports"),
        Point(*_SCHEDULER, "report_prefill_stats", hits, before=core.reporting, role="prefill reports"),
        Point(*_SCHEDULER, "log_prefill_stats", hits, before=core.reporting, role="prefill reports"),
    )


class InProcess(NamedTuple):
    """A batch whose results the scheduler is taking: its outputs before, whose it is and which step."""

    progress: SglangBatch
    steps: Steps
    number: int


class Core:
    """What the hooks of the scheduler do. Parameters after the known ones may come and go between versions."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._probe = ring.probe
        self._in_process: InProcess | None = None

    def made(self, _note: None, _result: None, scheduler: Any, *_args: Any, **_kwargs: Any) -> None:
        if not speaks(scheduler):
            return
        args = scheduler.server_args
        index = engine_index(scheduler)
        page = limit(scheduler, "page_size") or 1
        self._ring.open("engine_core")
        self._probe.engine(
            engine_index=index,
            served_models=[served_model(args)],
            max_model_len=limit(getattr(scheduler, "model_config", None), "context_len"),
            max_num_seqs=limit(scheduler, "max_running_requests"),
            max_num_batched_tokens=limit(scheduler, "max_prefill_tokens"),
            num_gpu_blocks=limit(scheduler, "max_total_num_tokens") // page,
            block_size=page,
        )
        scheduler._tachograph_steps = Steps(scheduler, index)

    def queueing(self, scheduler: Any, req: Any, is_retracted: bool = False, *_args: Any, **_kwargs: Any) -> None:
        steps = _steps(scheduler)
        if steps is None or req.rid.startswith(HEALTH_CHECK):
            return
        if is_retracted or req.is_retracted:
            self._probe.preempted(req.rid, steps.engine_index)
            return
        if steps.names:
            self._add(scheduler, steps, req)
        self._probe.queued(req.rid, steps.engine_index, len(scheduler.waiting_queue))

    def requeueing(self, scheduler: Any, reqs: Any, *_args: Any, **_kwargs: Any) -> None:
        for req in reqs:
            self.queueing(scheduler, req)

    def _add(self, scheduler: Any, steps: Steps, req: Any) -> None:
        """Name a sequence that no tokenizer manager in Python has named."""
        generates = steps.generates
        self._probe.sequence_add(
            http_id=0,
            arrival_time=0.0,
            internal_id=req.rid,
            external_id=req.rid,
            parent_id="",
            index=0,
            prompt_tokens=len(req.origin_input_ids),
            pool=not generates,
            model=served_model(scheduler.server_args),
            **sampling(req.sampling_params if generates else None, None, self._ring.content),
        )

    def scheduling(self, *_args: Any, **_kwargs: Any) -> int:
        start: int = self._probe.now_ns()
        return start

    def scheduled(self, start_ns: int, result: Any, scheduler: Any, *_args: Any, **_kwargs: Any) -> None:
        steps = _steps(scheduler)
        if steps is None:
            return
        # A plan with the batch in it since 0.5.2x, the batch itself before.
        if getattr(result, "batch_to_run", result) is not None:
            steps.found(start_ns, self._probe.now_ns())
        elif steps.is_idle():
            self._step(scheduler, steps, start_ns, ())

    def running(self, scheduler: Any, batch: Any, *_args: Any, **_kwargs: Any) -> None:
        steps = _steps(scheduler)
        if steps is not None:
            self._step(scheduler, steps, self._probe.now_ns(), batch.reqs, batch)

    def _step(self, scheduler: Any, steps: Steps, now_ns: int, reqs: Any, batch: Any = None) -> None:
        schedule = steps.begin(now_ns)
        pool = steps.pool(scheduler)
        others = scheduler.running_batch
        extends = batch is not None and batch.forward_mode.is_extend()
        running = len(reqs)
        if others is not None and others is not batch and others.reqs is not reqs and (extends or batch is None):
            # What a prefill batch holds joins the running batch only after it.
            running += len(others.reqs)
        self._probe.sglang_step(
            start_ns=schedule.start_ns,
            schedule_ns=schedule.duration_ns,
            engine_index=steps.engine_index,
            step=steps.number,
            reqs=reqs,
            tokens=batch.extend_lens if extends else None,
            running=running,
            waiting=len(scheduler.waiting_queue),
            deferred=_deferred(scheduler),
            kv_usage=pool.usage,
        )
        changed = steps.changes(pool)
        if changed:
            self._probe.sample(steps.engine_index, changed)

    def ran(self, _note: None, result: Any, scheduler: Any, *_args: Any, **_kwargs: Any) -> None:
        steps = _steps(scheduler)
        if steps is not None:
            steps.run(result)

    def processing(self, scheduler: Any, batch: Any, result: Any = None, *_args: Any, **_kwargs: Any) -> None:
        steps = _steps(scheduler)
        progress = None if steps is None else self._probe.sglang_batch(batch.reqs)
        if steps is not None and progress is not None:
            self._in_process = InProcess(progress, steps, steps.end(result))

    def streaming(self, *_args: Any, **_kwargs: Any) -> None:
        """The outputs are about to leave: they are told first, or the tokenizer manager would tell of their end before
        they were."""
        if self._in_process is not None:
            (progress, steps, number), self._in_process = self._in_process, None
            progress.outputs(steps.engine_index, number, steps.generates)

    def processed(self, _note: None, _result: None, *_args: Any, **_kwargs: Any) -> None:
        self.streaming()  # of a batch whose outputs did not leave

    def ending(self, scheduler: Any, abort_req: Any, req: Any, *_args: Any, **_kwargs: Any) -> None:
        steps = _steps(scheduler)
        if steps is not None:
            told = abort_req.finished_reason
            refused = isinstance(told, dict) and told.get("status_code") is not None
            self._probe.finished([req.rid], steps.engine_index, "error" if refused else "abort")

    def aborting(self, scheduler: Any, recv_req: Any, *_args: Any, **_kwargs: Any) -> list[Any] | None:
        """What waits and is meant; None where `send_abort_output` tells."""
        if _steps(scheduler) is None or hasattr(scheduler, "send_abort_output"):
            return None
        all_of_them = getattr(recv_req, "abort_all", False)
        return [req for req in scheduler.waiting_queue if all_of_them or req.rid.startswith(recv_req.rid)]

    def aborted(self, meant: list[Any] | None, _result: Any, scheduler: Any, *_args: Any, **_kwargs: Any) -> None:
        if meant:
            waiting = {id(req) for req in scheduler.waiting_queue}
            ids = [req.rid for req in meant if id(req) not in waiting]
            self._probe.finished(ids, scheduler._tachograph_steps.engine_index, "abort")

    def reporting(self, reporter: Any, *args: Any, **kwargs: Any) -> None:
        """Statistics of a prefill batch: which argument has them differs."""
        steps = _steps(getattr(reporter, "scheduler", reporter))
        if steps is None:
            return
        for stats in (*args, *kwargs.values()):
            if hasattr(stats, "log_hit_tokens"):
                # What is computed again after a preemption is no hit and no miss.
                hits = stats.log_hit_tokens - getattr(stats, "reprocessed_log_hit_tokens", 0)
                computed = stats.log_input_tokens - getattr(stats, "reprocessed_log_input_tokens", 0)
                steps.report.hit_rate(hits, computed)
                return


def _steps(scheduler: Any) -> Steps | None:
    """Ours, of a scheduler that speaks."""
    steps: Steps | None = getattr(scheduler, "_tachograph_steps", None)
    return steps


def _deferred(scheduler: Any) -> int:
    """Requests whose grammar is being compiled."""
    holder = getattr(scheduler, "grammar_manager", scheduler)
    return len(getattr(holder, "grammar_queue", ()))
