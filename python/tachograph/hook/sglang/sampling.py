"""Sampling parameters of SGLang, as the probe's `sequence_add` takes them."""

from __future__ import annotations

from typing import Any

TOP_K_ALL = 1 << 30
"""SGLang's way of saying that top-k is off (`sampling_params.TOP_K_ALL`)."""


def sampling(params: Any, asked: Any, content: bool) -> dict[str, Any]:
    """What a SamplingParams says. `asked`: the dictionary that it was made of, where there is one; `content`: whether
    stop strings may be kept.

    SGLang turns a temperature of 0 into top-k 1 at temperature 1: that is told as it was asked.
    """
    greedy = isinstance(asked, dict) and asked.get("temperature") == 0
    return {
        "n": getattr(params, "n", 1),
        "max_tokens": getattr(params, "max_new_tokens", None),
        "temperature": 0.0 if greedy else getattr(params, "temperature", None),
        "top_p": getattr(params, "top_p", None),
        "top_k": None if greedy else _top_k(params),
        "seed": getattr(params, "sampling_seed", None),
        "frequency_penalty": getattr(params, "frequency_penalty", None),
        "presence_penalty": getattr(params, "presence_penalty", None),
        "stop": _stop(params) if content else (),
    }


def _top_k(params: Any) -> int | None:
    top_k = getattr(params, "top_k", None)
    return top_k if isinstance(top_k, int) and 0 < top_k < TOP_K_ALL else None


def _stop(params: Any) -> Any:
    stop = getattr(params, "stop_strs", None) or ()
    return (stop,) if isinstance(stop, str) else stop
