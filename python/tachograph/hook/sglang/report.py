"""The statistics that the scheduler reports: read from where it keeps them for its log, `--enable-metrics` or not."""

from __future__ import annotations

from typing import Any


class Report:
    """The last figures of one scheduler, and what changed since they were asked for."""

    __slots__ = ("_accepted", "_holder", "_last", "_rounds", "_ticks")

    def __init__(self, scheduler: Any) -> None:
        # Until 0.5.10 the scheduler is its own reporter.
        self._holder = getattr(scheduler, "metrics_reporter", scheduler)
        self._last: dict[str, float] = {}
        self._ticks = self._read_ticks()
        self._accepted, self._rounds = self._read_speculation()

    def hit_rate(self, hits: int, computed: int) -> None:
        """Take the share of a prefill batch that was in the cache."""
        self._last["cache_hit_rate"] = hits / (hits + computed) if hits + computed > 0 else 0.0

    def changes(self, told: dict[str, float], used_tokens: int, usage: float, idle: bool) -> dict[str, float]:
        """What differs from `told`, which is brought up to date; and the reports made since the last call.

        An idle scheduler generates nothing: its own figure stands still, and newer versions export 0 as well.
        """
        last = self._last
        last["used_tokens"] = used_tokens
        last["token_usage"] = usage
        ticks = self._read_ticks()
        reports = sum(now != before for now, before in zip(ticks, self._ticks))
        if reports:
            self._ticks = ticks
            last["gen_throughput"] = getattr(self._holder, "last_gen_throughput", 0.0)
            self._take_speculation()
        if idle and "gen_throughput" in last:
            last["gen_throughput"] = 0.0
        changed = {name: value for name, value in last.items() if told.get(name) != value}
        told.update(changed)
        if reports:
            changed["stat_reports"] = reports
        return changed

    def _read_ticks(self) -> tuple[float, float]:
        """When the last two kinds of report were made."""
        holder = self._holder
        return getattr(holder, "last_prefill_stats_tic", 0.0), getattr(holder, "last_decode_stats_tic", 0.0)

    def _take_speculation(self) -> None:
        accepted, rounds = self._read_speculation()
        if rounds > self._rounds:
            self._last["spec_accept_length"] = (accepted - self._accepted) / (rounds - self._rounds)
        self._accepted, self._rounds = accepted, rounds

    def _read_speculation(self) -> tuple[int, int]:
        """Tokens accepted and rounds of verification since the start, as of the last report."""
        holder = self._holder
        for accepted, rounds in _SPECULATION:
            if hasattr(holder, accepted):
                return getattr(holder, accepted), getattr(holder, rounds)
        return 0, 0


_SPECULATION = (
    ("spec_total_num_accept_tokens", "spec_total_num_forward_ct"),
    ("spec_total_num_accepted_tokens", "spec_total_num_forward_ct"),
    ("cum_spec_accept_length", "cum_spec_accept_count"),
)
"""The two counters in 0.5.23, from 0.5.8 on, and before."""
