"""What a VllmConfig says about the engine."""

from __future__ import annotations

from typing import Any


def served_model(vllm_config: Any) -> str:
    """The first of the names under which the model is served, or where it was loaded from."""
    model = vllm_config.model_config
    name = model.served_model_name or model.model
    return str(name[0] if isinstance(name, (list, tuple)) else name)


def engine_index(parallel_config: Any) -> int:
    """The data-parallel rank: `data_parallel_rank` is reset to 0 where ranks are independent, the index is not."""
    rank = getattr(parallel_config, "data_parallel_rank", 0)
    return int(getattr(parallel_config, "data_parallel_index", rank))


def limit(holder: Any, name: str) -> int:
    """A configured limit, 0 when unknown."""
    value = getattr(holder, name, None)
    return int(value) if isinstance(value, (int, float)) and value > 0 else 0
