"""The tokenizer manager: sequences as it hands them to the scheduler and gets them back.

All hooks here come before the function: most are coroutines or generators, whose call is seen and whose body is not.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from tachograph.hook.asgi import HTTP_ID
from tachograph.hook.point import Point
from tachograph.hook.sglang.config import HEALTH_CHECK, served_model
from tachograph.hook.sglang.sampling import sampling

if TYPE_CHECKING:
    from tachograph.hook.ring import Ring

_MANAGER = ("sglang.srt.managers.tokenizer_manager", "TokenizerManager")

_WALL_CLOCK_MIN = 1e9
"""Seconds from which a time stamp is of the wall clock: CLOCK_MONOTONIC gets there after 31 years of uptime."""

WARM_UP = 2**32 - 1
"""Index of a sequence that is no choice (`tachograph_ring::record::SequenceAdd::WARM_UP`)."""


def front_points(ring: Ring) -> tuple[Point, ...]:
    """What is wrapped in a process that holds a TokenizerManager. TokenizerWorker inherits all of it."""
    front = Front(ring)
    sequences = "sequences: their ids, sampling parameters and prompt lengths, and to which HTTP request they belong"
    aborts = "aborts by the tokenizer manager"
    return (
        Point(*_MANAGER, "__init__", "the engine's side of the API server", after=front.made),
        Point(
            *_MANAGER,
            "generate_request",
            "when requests arrived, and which sequences belong to one request",
            before=front.arriving,
        ),
        Point(*_MANAGER, "_send_one_request", sequences, before=front.sending, role="sent sequences"),
        Point(*_MANAGER, "_send_batch_request", sequences, before=front.sending, role="sent sequences"),
        Point(
            *_MANAGER,
            "_handle_batch_output",
            "when the tokenizer manager saw the first token and the end of a sequence",
            before=front.received,
        ),
        Point(*_MANAGER, "abort_request", aborts, before=front.aborting, role="aborts"),
        Point(*_MANAGER, "_handle_abort_req", aborts, before=front.aborted, role="aborts"),
    )


class Family:
    """One call of `generate_request`: its input, when it came, and how many of its sequences were sent."""

    __slots__ = ("arrival", "input", "sent")

    def __init__(self, input_: Any) -> None:
        self.input = input_
        self.arrival = _arrival(input_)
        self.sent = 0


_FAMILY: ContextVar[Family | None] = ContextVar("tachograph_sglang_family", default=None)


class Front:
    """What the hooks of the tokenizer manager do. Arguments are found by their kind: their order differs."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._probe = ring.probe

    def made(self, _note: None, _result: None, _manager: Any, *_args: Any, **_kwargs: Any) -> None:
        self._ring.open("api_server")

    def arriving(self, _manager: Any, obj: Any, *_args: Any, **_kwargs: Any) -> None:
        _FAMILY.set(Family(obj))

    def sending(self, manager: Any, *args: Any, **kwargs: Any) -> None:
        for arg in (*args, *kwargs.values()):
            for tokenized in arg if isinstance(arg, list) else (arg,):
                if type(tokenized).__name__.startswith("Tokenized") and not tokenized.rid.startswith(HEALTH_CHECK):
                    self._send(manager, tokenized)

    def _send(self, manager: Any, tokenized: Any) -> None:
        family = _family_of(tokenized)
        n = 1 if family is None else getattr(family.input, "parallel_sample_num", None) or 1
        index = 0
        if family is not None:
            if n > 1 and _is_warm_up(tokenized, family):
                index = WARM_UP
            else:
                index = family.sent
                family.sent += 1
        pool = "Embedding" in type(tokenized).__name__
        asked = None if family is None else _first(getattr(family.input, "sampling_params", None))
        adapter = getattr(tokenized, "lora_name", None) or getattr(tokenized, "lora_path", None)
        parameters = sampling(None if pool else tokenized.sampling_params, asked, self._ring.content)
        self._probe.sequence_add(
            http_id=HTTP_ID.get(),
            arrival_time=0.0 if family is None else family.arrival,
            internal_id=tokenized.rid,
            external_id=tokenized.rid,
            parent_id="" if family is None or _is_single(family.input) else _first(family.input.rid),
            index=index,
            prompt_tokens=_prompt_tokens(tokenized),
            pool=pool,
            model=adapter if isinstance(adapter, str) else served_model(manager.server_args),
            **{**parameters, "n": n},
        )

    def received(self, manager: Any, recv_obj: Any, *_args: Any, **_kwargs: Any) -> None:
        self._probe.sglang_front(recv_obj, manager.rid_to_state)

    def aborting(self, manager: Any, rid: str = "", abort_all: bool = False, *_args: Any, **_kwargs: Any) -> None:
        ids = list(manager.rid_to_state) if abort_all else [rid] if rid in manager.rid_to_state else []
        if ids:
            self._probe.sequence_abort(ids)

    def aborted(self, manager: Any, recv_obj: Any, *_args: Any, **_kwargs: Any) -> None:
        if recv_obj.rid in manager.rid_to_state:
            self._probe.sglang_front_abort(recv_obj.rid, getattr(recv_obj, "finished_reason", None))


def _arrival(obj: Any) -> float:
    """When a request came, in seconds of the wall clock: as the OpenAI routes stamp it before they use the chat
    template (the wall clock until 0.5.8, CLOCK_MONOTONIC since), or now."""
    now = time.time()
    received = getattr(obj, "received_time", None)
    if not isinstance(received, float) or received <= 0:
        return now
    return received if received > _WALL_CLOCK_MIN else now - (time.perf_counter() - received)


def _family_of(tokenized: Any) -> Family | None:
    """The call that a sequence belongs to; None where two were mixed up in one task."""
    family = _FAMILY.get()
    if family is not None and _is_single(family.input) and family.input.rid != tokenized.rid:
        return None
    return family


def _is_single(obj: Any) -> bool:
    return isinstance(obj.rid, str)


def _is_warm_up(tokenized: Any, family: Family) -> bool:
    """Whether it only computes the prompt for its siblings; then it may have no token, though the others may."""
    asked = _first(getattr(family.input, "sampling_params", None))
    wanted = asked.get("max_new_tokens") if isinstance(asked, dict) else None
    return tokenized.sampling_params.max_new_tokens == 0 and wanted != 0


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _prompt_tokens(tokenized: Any) -> int:
    tokens = getattr(tokenized, "input_ids", None)
    if tokens is None:
        tokens = getattr(tokenized, "input_embeds", None)
    return 0 if tokens is None else len(tokens)
