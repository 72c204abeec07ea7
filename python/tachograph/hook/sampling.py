"""Sampling parameters of vLLM, the same in both generations, as the probe's `sequence_add` takes them."""

from __future__ import annotations

from typing import Any


def sampling(params: Any, content: bool) -> dict[str, Any]:
    """What a SamplingParams says; a PoolingParams says nothing. `content`: whether stop strings may be kept."""
    return {
        "n": getattr(params, "n", 1),
        "max_tokens": getattr(params, "max_tokens", None),
        "temperature": getattr(params, "temperature", None),
        "top_p": getattr(params, "top_p", None),
        "top_k": _top_k(params),
        "seed": getattr(params, "seed", None),
        "frequency_penalty": getattr(params, "frequency_penalty", None),
        "presence_penalty": getattr(params, "presence_penalty", None),
        "stop": _stop(params) if content else (),
    }


def _top_k(params: Any) -> int | None:
    top_k = getattr(params, "top_k", None)
    return None if top_k is None or top_k <= 0 else int(top_k)


def _stop(params: Any) -> Any:
    stop = getattr(params, "stop", None) or ()
    return (stop,) if isinstance(stop, str) else stop
