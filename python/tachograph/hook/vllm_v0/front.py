"""Who asks the engine: the API server through its client, or a program that holds the engine itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tachograph.hook.asgi import HTTP_ID
from tachograph.hook.point import Point
from tachograph.hook.sampling import sampling
from tachograph.hook.vllm_config import served_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tachograph.hook.ring import Ring

SPLIT_MAX = 16_384
"""Requests with n > 1 that are remembered: as many as the recorder holds open."""

_CLIENT = ("vllm.engine.multiprocessing.client", "MQLLMEngineClient")
_ASYNC = ("vllm.engine.async_llm_engine", "AsyncLLMEngine")
_TRACKER = ("vllm.engine.async_llm_engine", "RequestTracker")


def front_points(front: Front) -> tuple[Point, ...]:
    """What is wrapped in front of the engine; `--disable-frontend-multiprocessing` makes AsyncLLMEngine its client."""
    sequences = "sequences: their ids, sampling parameters and prompt lengths, and to which HTTP request they belong"
    seen = "when the API server saw the first token and the end of a sequence"
    aborts = "aborts by the API server"
    return (
        Point(*_CLIENT, "__init__", "the engine's side of the API server", after=front.client_made),
        Point(*_CLIENT, "generate", sequences, after=front.generated),
        Point(*_CLIENT, "encode", f"pooling {sequences}", after=front.encoded),
        Point(*_CLIENT, "_add_output", seen, before=front.answered),
        Point(*_CLIENT, "abort", aborts, before=front.aborted),
        Point(*_ASYNC, "__init__", "the engine's side of the API server", before=front.async_engine_making),
        Point(*_ASYNC, "generate", sequences, after=front.generated),
        Point(*_ASYNC, "encode", f"pooling {sequences}", after=front.encoded),
        Point(*_TRACKER, "process_request_output", seen, before=front.answered),
        Point(*_TRACKER, "abort_request", aborts, before=front.aborted),
        Point(
            "vllm.engine.multiprocessing.engine",
            "MQLLMEngine",
            "__init__",
            "that requests reach this engine through an API server",
            before=front.remote_engine_making,
        ),
        Point(
            "vllm.engine.llm_engine",
            "LLMEngine",
            "_add_processed_request",
            "sequences of offline inference",
            before=front.adding,
            after=front.added,
        ),
    )


class Seen(NamedTuple):
    """What `front_outputs` reads of an output: with `prefill_stats` it is the first, with a reason the last."""

    request_id: str
    prefill_stats: bool | None
    finish_reason: str | None


class Front:
    """What the hooks in front of the engine do. Parameters after the known ones may come and go between versions."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._probe = ring.probe
        self._model = ""
        # Whether the engine in this process is asked by a client, which names the sequences.
        self._has_client = False
        # n of the requests that the engine splits, as long as they run.
        self._split: dict[str, int] = {}
        # Sequences that the engine adds for the request that it is splitting.
        self._children: tuple[str, ...] = ()

    def client_made(
        self, _note: None, _result: None, _client: Any, _ipc_path: Any, engine_config: Any, *_args: Any, **_kwargs: Any
    ) -> None:
        self._model = served_model(engine_config)
        self._open("api_server")

    def async_engine_making(self, *_args: Any, **_kwargs: Any) -> None:
        self._has_client = True
        self._open("api_server")

    def remote_engine_making(self, *_args: Any, **_kwargs: Any) -> None:
        self._has_client = True

    def engine_making(self, _engine: Any, vllm_config: Any, *_args: Any, **_kwargs: Any) -> None:
        self._model = served_model(vllm_config)
        self._open("engine_core")

    def _open(self, role: str) -> None:
        self._ring.generation = "v0"
        self._ring.open(role)

    def generated(
        self,
        _note: None,
        _result: Any,
        _client: Any,
        prompt: Any = None,
        sampling_params: Any = None,
        request_id: str = "",
        lora_request: Any = None,
        *_args: Any,
        inputs: Any = None,
        **_kwargs: Any,
    ) -> None:
        self._ask(request_id, inputs if prompt is None else prompt, sampling_params, lora_request)

    def encoded(
        self,
        _note: None,
        _result: Any,
        _client: Any,
        prompt: Any = None,
        pooling_params: Any = None,
        request_id: str = "",
        lora_request: Any = None,
        *_args: Any,
        inputs: Any = None,
        **_kwargs: Any,
    ) -> None:
        self._ask(request_id, inputs if prompt is None else prompt, pooling_params, lora_request)

    def _ask(self, request_id: str, prompt: Any, params: Any, lora: Any) -> None:
        # Where V1 was chosen, AsyncLLMEngine is another name of V1's AsyncLLM, which has hooks of its own.
        if self._ring.generation != "v0":
            return
        n = getattr(params, "n", 1)
        if n > 1:
            self._split[request_id] = n
            if len(self._split) > SPLIT_MAX:
                del self._split[next(iter(self._split))]
        self._add(request_id, prompt, params, time.time(), lora)

    def answered(self, _client: Any, output: Any, *_args: Any, **_kwargs: Any) -> None:
        """Pass on a RequestOutput or PoolingRequestOutput that is a request's first, which has the prompt, or last."""
        # This is called for every output: what is in between must cost next to nothing.
        finished = getattr(output, "finished", False)
        if finished or getattr(output, "prompt_token_ids", None) is not None:
            n = self._split.pop(output.request_id, 1) if finished else self._split.get(output.request_id, 1)
            self._probe.front_outputs(list(_seen(output, n)), ())

    def aborted(self, _client: Any, request_id: str, *_args: Any, **_kwargs: Any) -> None:
        self._probe.sequence_abort(_sequences(request_id, self._split.pop(request_id, 1)))

    def adding(
        self, _engine: Any, request_id: str, processed_inputs: Any, params: Any, *_args: Any, **_kwargs: Any
    ) -> None:
        del processed_inputs  # named, since the engine names it
        n = getattr(params, "n", 1)
        if n > 1:
            self._children = _sequences(request_id, n)

    def added(
        self,
        _note: None,
        _result: Any,
        _engine: Any,
        request_id: str,
        processed_inputs: Any,
        params: Any,
        arrival_time: float,
        lora_request: Any = None,
        *_args: Any,
        **_kwargs: Any,
    ) -> None:
        if not self._has_client and request_id not in self._children:
            self._add(request_id, processed_inputs, params, arrival_time, lora_request)

    def _add(self, request_id: str, prompt: Any, params: Any, arrival_time: float, lora: Any) -> None:
        said = sampling(params, self._ring.content)
        sequences = _sequences(request_id, said["n"])
        for index, internal_id in enumerate(sequences):
            self._probe.sequence_add(
                http_id=HTTP_ID.get(),
                arrival_time=arrival_time,
                internal_id=internal_id,
                external_id=request_id,
                parent_id=request_id if len(sequences) > 1 else "",
                index=index,
                prompt_tokens=_prompt_tokens(prompt),
                # Of pooling parameters vLLM says nothing that a sampler would need.
                pool=not hasattr(params, "temperature"),
                model=self._model if lora is None else lora.lora_name,
                **said,
            )


def _sequences(request_id: str, n: int) -> tuple[str, ...]:
    """Internal ids of a request's sequences, as `ParallelSampleSequenceGroup.add_request` names them."""
    if n <= 1:
        return (request_id,)
    return tuple(f"{request_id}_parallel_sample_{index}" for index in range(n))


def _seen(output: Any, n: int) -> Iterator[Seen]:
    """Every sequence of an output. With best_of the answers are sorted: then nobody can say whose they are."""
    first = True if output.prompt_token_ids is not None else None
    answers = output.outputs if isinstance(output.outputs, list) else [None]
    ids = _sequences(output.request_id, n)
    for answer, id_ in zip(answers, ids) if len(answers) == n else ():
        reason = getattr(answer, "finish_reason", "stop") if output.finished else None
        yield Seen(id_, first, reason)


def _prompt_tokens(prompt: Any) -> int:
    """Length of a prompt, as far as it is tokenised by now: the API server does that, the engine does it for others."""
    if not isinstance(prompt, dict):
        return 0
    decoder = prompt.get("decoder")
    return len((prompt if decoder is None else decoder).get("prompt_token_ids") or ())
