"""A sequence as the probe's `sequence_add` takes it, of the front end's request or of EngineCore's."""

from __future__ import annotations

from typing import Any

from tachograph.hook.sampling import sampling


def described(request: Any, params: Any, served: str, content: bool) -> dict[str, Any]:
    """What an EngineCoreRequest or a Request says of itself; `params` None for one that pools.

    `served`: the model's name where no adapter has another. `content`: whether stop strings may be kept.
    """
    lora = request.lora_request
    return {
        "arrival_time": request.arrival_time,
        "internal_id": request.request_id,
        "prompt_tokens": _prompt_tokens(request),
        "pool": params is None,
        "model": served if lora is None else lora.lora_name,
        **sampling(params, content),
    }


def _prompt_tokens(request: Any) -> int:
    tokens = request.prompt_token_ids
    if tokens is None:
        tokens = getattr(request, "prompt_embeds", None)
    return 0 if tokens is None else len(tokens)
