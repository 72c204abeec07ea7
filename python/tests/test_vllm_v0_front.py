"""What the hooks in front of vLLM's V0 engine say about sequences."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stub_probe import StubProbe
from v0_engine import V0Engine, hooked_v0, v0_config

from tachograph.hook.asgi import HTTP_ID
from tachograph.hook.vllm_v0.front import SPLIT_MAX


@pytest.fixture
def v0(probe: StubProbe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> V0Engine:
    return hooked_v0(probe, monkeypatch, tmp_path)


def sampling(**changed: Any) -> SimpleNamespace:
    values: dict[str, Any] = {
        "n": 1,
        "max_tokens": 64,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": -1,
        "seed": 7,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "stop": ["END"],
    }
    return SimpleNamespace(**{**values, **changed})


def output(request_id: str, *reasons: str | None, first: bool = False, finished: bool = False) -> SimpleNamespace:
    """A RequestOutput: with the prompt it is the first of its request."""
    answers = [SimpleNamespace(index=index, finish_reason=reason) for index, reason in enumerate(reasons)]
    tokens = [1, 2] if first else None
    return SimpleNamespace(request_id=request_id, outputs=answers, prompt_token_ids=tokens, finished=finished)


def added(v0: V0Engine) -> list[dict[str, Any]]:
    return [call.kwargs for call in v0.probe.named("sequence_add")]


def seen(v0: V0Engine) -> list[list[tuple[Any, ...]]]:
    return [[tuple(one) for one in call.args[0]] for call in v0.probe.named("front_outputs")]


PROMPT = {"prompt_token_ids": [1, 2, 3]}


def test_the_clients_process_is_an_api_server_of_v0_whatever_the_environment_says(
    v0: V0Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_USE_V1", "1")
    v0.client()
    (process,) = v0.probe.named("process")
    assert process.args[:4] == ("api_server", "vllm", "0.8.5.post2", "v0")


def test_the_hooks_of_v1_are_not_applicable_and_all_of_v0_are_live(v0: V0Engine) -> None:
    v0.client()
    states = v0.probe.states()
    assert {name.startswith("vllm.v1.") for name, state in states.items() if state != "live"} == {True}
    assert sum(name.startswith(("vllm.engine.", "vllm.core.")) for name in states) == 18


def test_a_sequence_is_told_with_its_request_parameters_and_prompt_length(v0: V0Engine) -> None:
    client = v0.client()
    token = HTTP_ID.set(9)
    try:
        client.generate(PROMPT, sampling(), "chatcmpl-a")
    finally:
        HTTP_ID.reset(token)
    (told,) = added(v0)
    assert told.pop("arrival_time") > 0
    assert told == {
        "http_id": 9,
        "internal_id": "chatcmpl-a",
        "external_id": "chatcmpl-a",
        "parent_id": "",
        "index": 0,
        "prompt_tokens": 3,
        "pool": False,
        "model": "tiny",
        "n": 1,
        "max_tokens": 64,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": None,
        "seed": 7,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "stop": ["END"],
    }


def test_a_request_for_several_answers_is_told_as_the_sequences_that_the_engine_splits_it_into(v0: V0Engine) -> None:
    v0.client().generate(prompt=PROMPT, sampling_params=sampling(n=2), request_id="a")
    told = [(one["internal_id"], one["parent_id"], one["index"], one["n"]) for one in added(v0)]
    assert told == [("a_parallel_sample_0", "a", 0, 2), ("a_parallel_sample_1", "a", 1, 2)]
    assert {one["external_id"] for one in added(v0)} == {"a"}


def test_pooling_is_told_as_pooling_and_an_adapter_is_the_model(v0: V0Engine) -> None:
    lora = SimpleNamespace(lora_name="adapter")
    v0.client().encode(PROMPT, SimpleNamespace(additional_data=None), "embd-a-0", lora)
    (told,) = added(v0)
    assert (told["pool"], told["model"], told["n"], told["max_tokens"]) == (True, "adapter", 1, None)


@pytest.mark.parametrize(
    ("prompt", "length"),
    [("not tokenised yet", 0), ({"prompt": "neither"}, 0), ({"encoder": None, "decoder": PROMPT}, 3)],
)
def test_a_prompt_is_as_long_as_it_is_tokenised(v0: V0Engine, prompt: Any, length: int) -> None:
    v0.client().generate(inputs=prompt, sampling_params=sampling(), request_id="a")
    assert added(v0)[0]["prompt_tokens"] == length


def test_stop_strings_stay_out_of_the_ring_when_content_is_off(v0: V0Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "NO_CONTENT")
    v0.client().generate(PROMPT, sampling(), "a")
    assert added(v0)[0]["stop"] == ()


def test_only_the_first_and_the_last_output_of_a_request_are_passed_on(v0: V0Engine) -> None:
    client = v0.client()
    for one in (output("a", None, first=True), output("a", None), output("a", "length", finished=True)):
        client._add_output(one)
    client._add_output(SimpleNamespace(request_id="add_lora"))
    assert seen(v0) == [[("a", True, None)], [("a", None, "length")]]
    assert len(client.outputs) == 4


def test_the_end_of_a_split_request_is_that_of_its_sequences(v0: V0Engine) -> None:
    client = v0.client()
    client.generate(PROMPT, sampling(n=2), "a")
    client._add_output(output("a", "stop", "length", first=True, finished=True))
    assert seen(v0) == [[("a_parallel_sample_0", True, "stop"), ("a_parallel_sample_1", True, "length")]]


def test_of_the_best_answers_nobody_can_say_whose_they_are(v0: V0Engine) -> None:
    client = v0.client()
    client.generate(PROMPT, sampling(n=3), "a")
    client._add_output(output("a", "stop", finished=True))
    assert seen(v0) == [[]]


def test_a_pooling_request_ends_with_its_only_output(v0: V0Engine) -> None:
    pooled = SimpleNamespace(request_id="a", outputs=SimpleNamespace(data=0), prompt_token_ids=[1], finished=True)
    v0.client()._add_output(pooled)
    assert seen(v0) == [[("a", True, "stop")]]


def test_an_abort_names_every_sequence_of_the_request_and_the_client_still_aborts(v0: V0Engine) -> None:
    client = v0.client()
    client.generate(PROMPT, sampling(n=2), "a")
    asyncio.run(client.abort("a"))
    asyncio.run(client.abort("b"))
    told = [call.args[0] for call in v0.probe.named("sequence_abort")]
    assert told == [("a_parallel_sample_0", "a_parallel_sample_1"), ("b",)]
    assert client.aborted == ["a", "b"]


def test_split_requests_that_never_end_are_forgotten(v0: V0Engine) -> None:
    client = v0.client()
    for number in range(SPLIT_MAX + 1):
        client.generate(PROMPT, sampling(n=2), f"r{number}")
    asyncio.run(client.abort("r0"))
    assert v0.probe.named("sequence_abort")[0].args[0] == ("r0",)


def test_without_a_process_of_its_own_the_engine_is_asked_by_its_async_client(v0: V0Engine) -> None:
    client = v0.made(
        "engine.async_llm_engine", "AsyncLLMEngine", vllm_config=v0_config(), executor_class=None, log_stats=1
    )
    client.generate(PROMPT, sampling(), "a")
    client.encode(PROMPT, SimpleNamespace(), "b")
    client.engine.add_request("a", PROMPT, sampling(), 1.0)  # as its loop does later
    client.tracker.process_request_output(output("a", "stop", finished=True), verbose=True)
    client.tracker.abort_request("b", exception=None)
    assert v0.probe.named("process")[0].args[0] == "api_server"
    assert [(one["internal_id"], one["pool"]) for one in added(v0)] == [("a", False), ("b", True)]
    assert seen(v0) == [[("a", None, "stop")]]
    assert v0.probe.named("sequence_abort")[0].args[0] == ("b",)


def test_offline_the_engine_itself_is_asked(v0: V0Engine) -> None:
    engine = v0.engine()
    engine.add_request("0", PROMPT, sampling(), 12.5)
    engine.add_request("1", PROMPT, sampling(n=2), 13.5)
    assert v0.probe.named("process")[0].args[0] == "engine_core"
    assert [(one["internal_id"], one["arrival_time"], one["http_id"]) for one in added(v0)] == [
        ("0", 12.5, 0),
        ("1_parallel_sample_0", 13.5, 0),
        ("1_parallel_sample_1", 13.5, 0),
    ]


def test_a_request_that_the_engine_refuses_is_not_told_and_its_error_passes(v0: V0Engine) -> None:
    with pytest.raises(ValueError, match="refused"):
        v0.engine().add_request("refused", PROMPT, sampling(), 1.0)
    assert added(v0) == []


def test_the_engine_of_an_api_server_names_no_sequences(v0: V0Engine) -> None:
    remote = v0.made("engine.multiprocessing.engine", "MQLLMEngine", "ipc", True, v0_config(), None, True)
    remote.engine.add_request("a", PROMPT, sampling(n=2), 1.0)
    assert added(v0) == []
    assert len(v0.probe.named("queued")) == 2


def test_where_v1_was_chosen_its_client_under_the_old_name_is_left_to_its_own_hooks(v0: V0Engine) -> None:
    v0.table.ring.generation = "v1"
    v0.probe.opened = True
    client = v0.modules["vllm.engine.async_llm_engine"].AsyncLLMEngine
    client.generate(object(), PROMPT, sampling(), "a")
    assert added(v0) == []
