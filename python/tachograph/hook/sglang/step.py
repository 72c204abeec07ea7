"""What we keep of one scheduler between its functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tachograph.hook.sglang.pool import pool_of
from tachograph.hook.sglang.report import Report

if TYPE_CHECKING:
    from tachograph.hook.sglang.pool import Pool

IN_FLIGHT_MAX = 64
"""Steps whose results are outstanding: two with overlap scheduling, one per stage with pipeline parallelism."""


_QUIET = 2
"""Rounds without a batch after which the scheduler is idle: overlap scheduling takes the last results in the first."""


class Schedule(NamedTuple):
    """When the next batch was looked for, and how long that took, in nanoseconds."""

    start_ns: int
    duration_ns: int


class Steps:
    """Its rank, its step count, the steps without results yet, and the last figures that were told."""

    __slots__ = ("_in_flight", "_pool", "_quiet", "_told", "engine_index", "generates", "names", "number", "report",
                 "schedule")  # fmt: skip

    def __init__(self, scheduler: Any, engine_index: int) -> None:
        self.engine_index = engine_index
        self.generates = bool(getattr(scheduler, "is_generation", True))
        self.names = getattr(scheduler, "rust_server", None) is not None
        """Whether no tokenizer manager in Python names the sequences."""
        self.number = 0
        self.schedule: Schedule | None = None
        self.report = Report(scheduler)
        self._pool = pool_of(scheduler)
        self._quiet = _QUIET
        self._told: dict[str, float] = {}
        self._in_flight: dict[int, int] = {}

    def pool(self, scheduler: Any) -> Pool:
        """The KV cache now."""
        return self._pool(scheduler)

    def found(self, start_ns: int, now_ns: int) -> None:
        """A batch was found."""
        self.schedule = Schedule(start_ns, now_ns - start_ns)
        self._quiet = 0

    def begin(self, now_ns: int) -> Schedule:
        """Number the step of the batch that was found; its schedule. Disaggregated engines look elsewhere."""
        self.number += 1
        schedule, self.schedule = self.schedule, None
        return schedule or Schedule(now_ns, 0)

    def run(self, result: Any) -> None:
        """Remember a step by its result, which is alive until it is processed."""
        self._in_flight[id(result)] = self.number
        if len(self._in_flight) > IN_FLIGHT_MAX:
            del self._in_flight[next(iter(self._in_flight))]

    def end(self, result: Any) -> int:
        """The step of a result; the last one where it was made anew on the way (pipeline parallelism)."""
        return self._in_flight.pop(id(result), self.number)

    def is_idle(self) -> bool:
        """No batch was found: whether that is news. At first the last results may still be on their way."""
        self._quiet += 1
        return self._quiet == _QUIET

    def changes(self, pool: Pool) -> dict[str, float]:
        """The figures that changed since the last call."""
        return self.report.changes(self._told, pool.used_tokens, pool.usage, self._quiet >= _QUIET)
