"""How much of the KV cache is in use, as each version counts it for its own log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Pool(NamedTuple):
    """Tokens that requests hold, and their share of the cache, 0 to 1; of a hybrid cache the fuller part."""

    used_tokens: int
    usage: float


def pool_of(scheduler: Any) -> Callable[[Any], Pool]:
    """The way that this version has."""
    if hasattr(getattr(scheduler, "pool_stats_observer", None), "get_pool_stats"):
        return _observed
    if getattr(scheduler, "is_hybrid_swa", getattr(scheduler, "is_hybrid", False)):
        return _hybrid
    return _counted


def _observed(scheduler: Any) -> Pool:
    stats = scheduler.pool_stats_observer.get_pool_stats()
    return Pool(stats.get_kv_token_stats()[0], stats.get_max_pool_usage())


def _hybrid(scheduler: Any) -> Pool:
    full_used, window_used, full_usage, window_usage = scheduler._get_swa_token_info()[:4]
    return Pool(max(full_used, window_used), max(full_usage, window_usage))


def _counted(scheduler: Any) -> Pool:
    total = scheduler.max_total_num_tokens
    free = scheduler.token_to_kv_pool_allocator.available_size() + scheduler.tree_cache.evictable_size()
    return Pool(total - free, (total - free) / total)
