"""What SGLang's objects say about the engine; since 0.5.13 the ranks are in a context of the process."""

from __future__ import annotations

import sys
from typing import Any

HEALTH_CHECK = "HEALTH_CHECK"
"""Beginning of the request ids of `/health_generate`: the server asks itself, no client is behind them."""


def rank(scheduler: Any, name: str) -> int:
    """A rank of this process, 0 where there is no such dimension."""
    value = getattr(scheduler, name, None)
    context = sys.modules.get("sglang.srt.runtime_context")
    if value is None and context is not None:
        try:
            value = getattr(context.get_parallel(), name, None)
        except (RuntimeError, ValueError):  # what it has not been told yet
            value = None
    return value if isinstance(value, int) else 0


def speaks(scheduler: Any) -> bool:
    """Whether this is the one scheduler of its replica that clients' requests come to and results leave from."""
    return not any(rank(scheduler, name) for name in ("attn_tp_rank", "attn_cp_rank", "pp_rank"))


def engine_index(scheduler: Any) -> int:
    """The data-parallel rank; with DP attention older versions have it under the other name only."""
    return rank(scheduler, "dp_rank") or rank(scheduler, "attn_dp_rank")


def served_model(server_args: Any) -> str:
    """The name under which the model is served, or where it was loaded from."""
    return str(getattr(server_args, "served_model_name", None) or getattr(server_args, "model_path", ""))


def limit(holder: Any, name: str) -> int:
    """A configured limit, 0 when unknown."""
    value = getattr(holder, name, None)
    return int(value) if isinstance(value, (int, float)) and value > 0 else 0
