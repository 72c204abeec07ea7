"""The Rust half of the probe: encodes one record into the ring. No call raises, blocks or does I/O, except `open`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

Send = Callable[[Any], Awaitable[None]]

def open(directory: str, capacity_bytes: int, content: bool, body_limit_bytes: int) -> str:
    """Make this process's ring and return its path. Raises OSError with the reason where that cannot be done.

    Until it is called, and in a child after fork, every other function does nothing.
    `content`: whether message text may enter the ring; `body_limit_bytes`: longest body kept.
    """

def is_open() -> bool: ...
def suppressed() -> bool:
    """Whether recording is switched off at run time: then records are not written, only counted."""

def close_after_fork() -> None:
    """Forget the parent's ring (for os.register_at_fork)."""

def now_ns() -> int:
    """CLOCK_MONOTONIC in nanoseconds."""

def counters() -> dict[str, int]:
    """`produced`, `lost` (ring full), `suppressed` (recording off), `faults` of this process."""

def process(role: str, engine: str, engine_version: str, engine_generation: str, python: str) -> None: ...
def probe(name: str, state: str, detail: str) -> None:
    """`state`: live, missing, not_applicable or removed."""

def fault(name: str, error: str) -> None: ...

class HttpRequest:
    """One request at the ASGI edge."""

    @property
    def id(self) -> int: ...
    @property
    def complete(self) -> bool:
        """Whether the last chunk of the response was sent."""
    @property
    def traceresponse(self) -> bytes:
        """`00-<trace id>-<span id>-<flags>`."""
    def receive(self, message: Any) -> None:
        """Take an ASGI message that the application received (http.request, http.disconnect)."""
    def wrap_send(self, send: Send) -> Send:
        """A callable that records an outgoing ASGI message and returns `send(message)`, no coroutine of its own.

        Adds the `traceresponse` header to http.response.start.
        """
    def end(self, error: str) -> None:
        """The application returned (`error` empty) or raised (`error` the exception's class)."""

def http_start(scope: Mapping[str, Any]) -> HttpRequest | None:
    """Open a request from an ASGI http scope; None when the ring is not open, or recording is off."""

def sequence_add(
    *,
    http_id: int,
    arrival_time: float,
    internal_id: str,
    external_id: str,
    parent_id: str,
    index: int,
    prompt_tokens: int,
    pool: bool,
    model: str,
    n: int,
    max_tokens: int | None,
    temperature: float | None,
    top_p: float | None,
    top_k: int | None,
    seed: int | None,
    frequency_penalty: float | None,
    presence_penalty: float | None,
    stop: Sequence[str],
) -> None: ...
def front_outputs(outputs: Sequence[Any], stopped: Sequence[str]) -> None:
    """`outputs`: EngineCoreOutput objects (reads request_id, prefill_stats, finish_reason); `stopped`: ids that a
    stop string ended. Writes a record only when a first token or an end is among them."""

def sequence_abort(ids: Sequence[str]) -> None: ...
def engine(
    *,
    engine_index: int,
    served_models: Sequence[str],
    max_model_len: int,
    max_num_seqs: int,
    max_num_batched_tokens: int,
    num_gpu_blocks: int,
    block_size: int,
) -> None: ...
def queued(internal_id: str, engine_index: int, depth: int) -> None: ...
def step(
    start_ns: int,
    engine_index: int,
    step: int,
    num_scheduled_tokens: Mapping[str, int],
    running: int,
    waiting: int,
    deferred: int,
    kv_usage: float,
) -> None: ...
def preempted(internal_id: str, engine_index: int) -> None: ...
def step_outputs(engine_index: int, step: int, by_client: Mapping[int, Any]) -> None:
    """`by_client`: what `Scheduler.update_from_output` returned. Reads, of each EngineCoreOutputs, `outputs`
    (request_id, new_token_ids, finish_reason, prefill_stats.num_cached_tokens) and
    `scheduler_stats.prefix_cache_stats` (queries, hits)."""

def finished(ids: Sequence[str], engine_index: int, reason: str) -> None:
    """`reason`: stop, length, abort, error or repetition."""

def sample(engine_index: int, figures: Mapping[str, float]) -> None:
    """Figures that only one engine has, by quantity: swapped, cpu_kv_usage, prompt_tokens (vLLM V0), used_tokens,
    token_usage, gen_throughput, cache_hit_rate, spec_accept_length, stat_reports (SGLang). Levels replace, counts add
    (`crates/ring/src/record.rs`). A dict, and one call per step at most, only where something changed."""

def v0_step(
    start_ns: int,
    engine_index: int,
    step: int,
    groups: Sequence[Any],
    prefills: int,
    lookahead: int,
    running: int,
    waiting: int,
    kv_usage: float,
) -> int:
    """Like `step`, for vLLM V0. `groups`: ScheduledSequenceGroups (reads seq_group.request_id, token_chunk_size), the
    first `prefills` of them computing prompts, the others a token each and `lookahead` more. Returns the prompt tokens
    of the step (vLLM's `num_prompt_tokens_iter`); 0 when the ring is not open."""

def v0_step_outputs(engine_index: int, step: int, groups: Sequence[Any], only: str | None) -> None:
    """Like `step_outputs`, for vLLM V0: what the sequences of ScheduledSequenceGroups (of `only` that request, if it is
    given) got since they were told last, which is kept on the SequenceGroup as `_tachograph_told`. Reads first_seq's
    status and data (_output_token_ids, _num_cached_tokens). Writes no record where nothing is new."""

def sglang_step(
    *,
    start_ns: int,
    schedule_ns: int,
    engine_index: int,
    step: int,
    reqs: Sequence[Any],
    tokens: Sequence[int] | None,
    running: int,
    waiting: int,
    deferred: int,
    kv_usage: float,
) -> None:
    """`reqs`: SGLang's Req objects (reads rid; leaves health checks out); `tokens`: scheduled for each, 1 where that
    is unknown."""

class SglangBatch:
    """The requests of a ScheduleBatch before the scheduler takes the model's output."""

    def outputs(self, engine_index: int, step: int, generates: bool) -> None:
        """Record what they got since. Reads, of each Req, rid, output_ids, finished_reason, finished_len,
        cached_tokens and origin_input_ids. `generates`: whether output tokens are more than a dummy."""

def sglang_batch(reqs: Sequence[Any]) -> SglangBatch | None:
    """None when the ring is not open."""

def sglang_front(batch: Any, states: Mapping[str, Any]) -> None:
    """`batch`: what the tokenizer manager got (rids, finished_reasons); `states`: its `rid_to_state` before it takes
    that. Writes a record only when a first output or an end is among them."""

def sglang_front_abort(rid: str, reason: Any) -> None:
    """The end of a request that the scheduler aborted outside its outputs; `reason` may be None."""
