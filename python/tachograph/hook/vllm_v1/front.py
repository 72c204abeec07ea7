"""The API server: sequences as the front end hands them to the engine and gets them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tachograph.hook.asgi import HTTP_ID
from tachograph.hook.point import Point
from tachograph.hook.vllm_config import served_model
from tachograph.hook.vllm_v1.sequence import described

if TYPE_CHECKING:
    from tachograph.hook.ring import Ring

_PROCESSOR = ("vllm.v1.engine.output_processor", "OutputProcessor")


def front_points(ring: Ring) -> tuple[Point, ...]:
    """What is wrapped in the process that holds the OutputProcessor."""
    front = Front(ring)
    model = "the served model's name on sequences"
    return (
        Point("vllm.v1.engine.async_llm", "AsyncLLM", "__init__", model, before=front.engine_making),
        Point("vllm.v1.engine.llm_engine", "LLMEngine", "__init__", model, before=front.engine_making),
        Point(*_PROCESSOR, "__init__", "the engine's side of the API server", after=front.processor_made),
        Point(
            *_PROCESSOR,
            "add_request",
            "sequences: their ids, sampling parameters and prompt lengths, and to which HTTP request they belong",
            before=front.adding,
            after=front.added,
        ),
        Point(
            *_PROCESSOR,
            "process_outputs",
            "when the API server saw the first token and the end of a sequence, and ends by stop strings",
            after=front.processed,
        ),
        Point(*_PROCESSOR, "abort_requests", "aborts by the API server", after=front.aborted),
    )


class Front:
    """What the hooks of the API server do. Parameters after the known ones may come and go between versions."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._probe = ring.probe
        self._model = ""

    def engine_making(self, _engine: Any, vllm_config: Any, *_args: Any, **_kwargs: Any) -> None:
        self._model = served_model(vllm_config)

    def processor_made(self, _note: None, _result: Any, _processor: Any, *_args: Any, **_kwargs: Any) -> None:
        self._ring.generation = "v1"
        self._ring.open("api_server")

    def adding(self, processor: Any, request: Any, *_args: Any, **_kwargs: Any) -> bool:
        """Whether it is a new sequence: a streamed prompt adds its later pieces under the same id."""
        return request.request_id not in processor.request_states

    def added(
        self,
        new: bool,
        _result: None,
        _processor: Any,
        request: Any,
        prompt: Any = None,
        parent_req: Any = None,
        request_index: int = 0,
        *_args: Any,
        **_kwargs: Any,
    ) -> None:
        if not new:
            return
        # A child's parameters say n = 1 and a seed of its own.
        params = request.sampling_params if parent_req is None else parent_req.sampling_params
        parent_id = "" if parent_req is None else parent_req.request_id
        self._probe.sequence_add(
            http_id=HTTP_ID.get(),
            external_id=getattr(request, "external_req_id", None) or parent_id or request.request_id,
            parent_id=parent_id,
            index=request_index,
            **described(request, params, self._model, self._ring.content),
        )

    def processed(
        self, _note: None, result: Any, _processor: Any, engine_core_outputs: Any, *_args: Any, **_kwargs: Any
    ) -> None:
        self._probe.front_outputs(engine_core_outputs, result.reqs_to_abort)

    def aborted(self, _note: None, result: Any, *_args: Any, **_kwargs: Any) -> None:
        # Aborting a parent calls itself for the children, so these are named twice.
        if result:
            self._probe.sequence_abort(result)
