"""What the hooks of SGLang's tokenizer manager say about sequences."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import FakeEngine

from tachograph.hook.asgi import HTTP_ID
from tachograph.hook.sglang.front import WARM_UP

MANAGER = "sglang.srt.managers.tokenizer_manager"


def manager(engine: FakeEngine, kind: str = "TokenizerManager") -> Any:
    return getattr(engine.modules[MANAGER], kind)(SimpleNamespace(served_model_name="tiny", model_path="/m"))


def tokenized(engine: FakeEngine, rid: str = "r", kind: str = "TokenizedGenerateReqInput", **changed: Any) -> Any:
    params = SimpleNamespace(
        n=1, max_new_tokens=64, temperature=0.5, top_p=0.9, top_k=1 << 30, sampling_seed=7, frequency_penalty=0.0,
        presence_penalty=0.0, stop_strs=["END"],
    )  # fmt: skip
    values = {"rid": rid, "input_ids": [1, 2, 3], "sampling_params": params, "lora_name": None, **changed}
    return getattr(engine.modules[MANAGER], kind)(**values)


def asked(*sequences: Any, rid: Any = "r", batched: bool = False, n: int = 1, **changed: Any) -> SimpleNamespace:
    values = {"sampling_params": {"max_new_tokens": 64}, "received_time": None, **changed}
    return SimpleNamespace(rid=rid, tokenized=list(sequences), batched=batched, parallel_sample_num=n, **values)


def generate(tokenizer_manager: Any, *objects: Any, http_id: int = 7) -> list[Any]:
    async def serve() -> list[Any]:
        HTTP_ID.set(http_id)
        return [answer for obj in objects async for answer in tokenizer_manager.generate_request(obj)]

    return asyncio.run(serve())


def added(engine: FakeEngine) -> list[dict[str, Any]]:
    return [call.kwargs for call in engine.probe.named("sequence_add")]


@pytest.mark.parametrize("kind", ["TokenizerManager", "TokenizerWorker"])
def test_the_ring_opens_as_api_server_in_every_process_that_tokenizes(sglang: FakeEngine, kind: str) -> None:
    manager(sglang, kind)
    (call,) = sglang.probe.named("process")
    assert call.args[:4] == ("api_server", "sglang", "0.5.23", "")


def test_a_sequence_is_told_with_its_id_parameters_prompt_length_and_http_request(sglang: FakeEngine) -> None:
    before = time.time()
    assert generate(manager(sglang), asked(tokenized(sglang))) == ["response"]
    (told,) = added(sglang)
    assert before <= told.pop("arrival_time") <= time.time()
    assert told == {
        "http_id": 7, "internal_id": "r", "external_id": "r", "parent_id": "", "index": 0, "prompt_tokens": 3,
        "pool": False, "model": "tiny", "n": 1, "max_tokens": 64, "temperature": 0.5, "top_p": 0.9, "top_k": None,
        "seed": 7, "frequency_penalty": 0.0, "presence_penalty": 0.0, "stop": ["END"],
    }  # fmt: skip


def test_a_temperature_of_zero_is_told_as_it_was_asked(sglang: FakeEngine) -> None:
    sequence = tokenized(sglang)
    sequence.sampling_params.temperature, sequence.sampling_params.top_k = 1.0, 1
    generate(manager(sglang), asked(sequence, sampling_params={"temperature": 0}))
    assert (added(sglang)[0]["temperature"], added(sglang)[0]["top_k"]) == (0.0, None)


def test_choices_are_told_with_their_parent_and_the_warm_up_before_them_as_none(sglang: FakeEngine) -> None:
    warm_up = tokenized(sglang, "w")
    warm_up.sampling_params.max_new_tokens = 0
    choices = [tokenized(sglang, "a"), tokenized(sglang, "b")]
    generate(manager(sglang), asked(warm_up, *choices, rid=["p0", "p1"], n=2, sampling_params=[{}]))
    told = [(one["internal_id"], one["parent_id"], one["index"], one["n"]) for one in added(sglang)]
    assert told == [("w", "p0", WARM_UP, 2), ("a", "p0", 0, 2), ("b", "p0", 1, 2)]


def test_the_prompts_of_a_batch_are_siblings_however_they_are_sent(sglang: FakeEngine) -> None:
    for batched in (False, True):
        prompts = [tokenized(sglang, f"a{batched}"), tokenized(sglang, f"b{batched}")]
        generate(manager(sglang), asked(*prompts, rid=[f"a{batched}", f"b{batched}"], batched=batched))
    told = [(one["internal_id"], one["parent_id"], one["index"]) for one in added(sglang)]
    assert told == [
        ("aFalse", "aFalse", 0), ("bFalse", "aFalse", 1), ("aTrue", "aTrue", 0), ("bTrue", "aTrue", 1),
    ]  # fmt: skip


def test_an_embedding_has_no_sampling_parameters_and_an_adapter_is_the_model(sglang: FakeEngine) -> None:
    sequence = tokenized(sglang, kind="TokenizedEmbeddingReqInput", lora_name="adapter")
    generate(manager(sglang), asked(sequence))
    (told,) = added(sglang)
    assert (told["pool"], told["max_tokens"], told["model"]) == (True, None, "adapter")


@pytest.mark.parametrize("clock", [time.time, time.perf_counter])
def test_the_arrival_is_the_one_that_the_server_stamped_on_either_clock(sglang: FakeEngine, clock: Any) -> None:
    generate(manager(sglang), asked(tokenized(sglang), received_time=clock() - 5))
    assert added(sglang)[0]["arrival_time"] == pytest.approx(time.time() - 5, abs=2)


def test_a_later_request_of_the_same_task_is_not_taken_for_a_part_of_the_first(sglang: FakeEngine) -> None:
    other = asked(tokenized(sglang, "x"), rid="x")
    generate(manager(sglang), asked(tokenized(sglang, "a"), tokenized(sglang, "b"), rid=["a", "b"]), other)
    assert [one["parent_id"] for one in added(sglang)] == ["a", "a", ""]


def test_versions_that_send_more_arguments_are_understood(sglang: FakeEngine) -> None:
    front = manager(sglang)
    point = next(p for line in sglang.table._points.values() for p in line if p.attribute == "_send_one_request")
    assert point.before is not None
    point.before(front, SimpleNamespace(), tokenized(sglang, "a"), 1.5)
    point.before(front, SimpleNamespace(), tokenized_obj=tokenized(sglang, "b"), created_time=1.5)
    assert [one["internal_id"] for one in added(sglang)] == ["a", "b"]


def test_health_checks_and_stop_strings_with_content_off_stay_out_of_the_ring(
    sglang: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "false")
    front = manager(sglang)
    generate(front, asked(tokenized(sglang, "HEALTH_CHECK_1"), rid="HEALTH_CHECK_1"), asked(tokenized(sglang)))
    assert [(one["internal_id"], one["stop"]) for one in added(sglang)] == [("r", ())]


def test_outputs_go_to_the_probe_before_the_manager_takes_them(sglang: FakeEngine) -> None:
    front, batch = manager(sglang), SimpleNamespace(rids=["r"])
    asyncio.run(front._handle_batch_output(batch))
    (call,) = sglang.probe.named("sglang_front")
    assert call.args == (batch, front.rid_to_state)
    assert front.calls == ["_handle_batch_output"]


def test_aborts_are_told_of_what_is_alive_and_the_end_that_the_scheduler_answers(sglang: FakeEngine) -> None:
    front = manager(sglang)
    front.rid_to_state.update(a=1, b=2)
    for arguments in ({"rid": "a"}, {"rid": "gone"}, {"abort_all": True}):
        front.abort_request(**arguments)
    assert [call.args[0] for call in sglang.probe.named("sequence_abort")] == [["a"], ["a", "b"]]
    for _ in range(2):
        front._handle_abort_req(SimpleNamespace(rid="a", finished_reason={"type": "abort"}))
    assert [call.args for call in sglang.probe.named("sglang_front_abort")] == [("a", {"type": "abort"})]
