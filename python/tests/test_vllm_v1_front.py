"""What the API server's hooks say about sequences."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from conftest import FakeEngine
from stub_probe import StubProbe

from tachograph.hook.asgi import HTTP_ID
from tachograph.hook.vllm_config import served_model


def sampling(**changed: Any) -> SimpleNamespace:
    values: dict[str, Any] = {
        "n": 1,
        "max_tokens": 64,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 0,
        "seed": None,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "stop": ["END"],
    }
    return SimpleNamespace(**{**values, **changed})


def request(id_: str = "chatcmpl-a-1234", **changed: Any) -> SimpleNamespace:
    values: dict[str, Any] = {
        "request_id": id_,
        "external_req_id": "chatcmpl-a",
        "prompt_token_ids": [1, 2, 3],
        "prompt_embeds": None,
        "sampling_params": sampling(),
        "lora_request": None,
        "arrival_time": 1.5,
    }
    return SimpleNamespace(**{**values, **changed})


def output(id_: str, stopped: bool = False) -> SimpleNamespace:
    return SimpleNamespace(request_id=id_, stopped=stopped)


def added(probe: StubProbe) -> dict[str, Any]:
    (call,) = probe.named("sequence_add")
    return call.kwargs


def test_the_ring_opens_as_api_server_when_the_output_processor_is_made(engine: FakeEngine) -> None:
    assert engine.probe.calls == []
    engine.processor()
    (call,) = engine.probe.named("process")
    assert call.args[:4] == ("api_server", "vllm", "0.32.0", "v1")


def test_a_sequence_is_told_with_its_ids_parameters_and_prompt_length(engine: FakeEngine) -> None:
    processor = engine.processor()
    token = HTTP_ID.set(7)
    processor.add_request(request(), "the prompt")
    HTTP_ID.reset(token)
    assert added(engine.probe) == {
        "http_id": 7,
        "arrival_time": 1.5,
        "internal_id": "chatcmpl-a-1234",
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
        "seed": None,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "stop": ["END"],
    }


def test_a_child_has_its_parents_id_and_the_n_and_seed_that_were_asked_for(engine: FakeEngine) -> None:
    parent = SimpleNamespace(request_id="chatcmpl-a-1234", sampling_params=sampling(n=2, seed=5))
    child = request("1_chatcmpl-a-1234", sampling_params=sampling(seed=6))
    engine.processor().add_request(child, None, parent, 1, None)
    told = added(engine.probe)
    assert (told["internal_id"], told["parent_id"], told["index"]) == ("1_chatcmpl-a-1234", "chatcmpl-a-1234", 1)
    assert (told["n"], told["seed"]) == (2, 5)


def test_parameters_passed_by_name_are_seen_too(engine: FakeEngine) -> None:
    parent = SimpleNamespace(request_id="p", sampling_params=sampling(n=3))
    engine.processor().add_request(request=request("2_p"), prompt=None, parent_req=parent, request_index=2, queue=None)
    assert (added(engine.probe)["index"], added(engine.probe)["n"]) == (2, 3)


def test_versions_without_external_ids_tell_the_parents_id_or_the_own_one(engine: FakeEngine) -> None:
    processor = engine.processor()
    alone, child = request("cmpl-b"), request("0_cmpl-c")
    del alone.external_req_id, child.external_req_id
    processor.add_request(alone, None)
    processor.add_request(child, None, SimpleNamespace(request_id="cmpl-c", sampling_params=sampling(n=2)), 0)
    told = [call.kwargs["external_id"] for call in engine.probe.named("sequence_add")]
    assert told == ["cmpl-b", "cmpl-c"]


def test_a_pooling_sequence_has_no_sampling_parameters(engine: FakeEngine) -> None:
    engine.processor().add_request(request(sampling_params=None), None)
    told = added(engine.probe)
    assert told["pool"] is True
    assert (told["n"], told["max_tokens"], told["temperature"], told["stop"]) == (1, None, None, ())


def test_embedded_prompts_have_a_length_and_an_adapter_is_the_model(engine: FakeEngine) -> None:
    lora = SimpleNamespace(lora_name="adapter")
    engine.processor().add_request(request(prompt_token_ids=None, prompt_embeds=[[0.0]] * 5, lora_request=lora), None)
    assert (added(engine.probe)["prompt_tokens"], added(engine.probe)["model"]) == (5, "adapter")


@pytest.mark.parametrize(("top_k", "told"), [(0, None), (-1, None), (40, 40)])
def test_top_k_is_absent_when_it_is_off(engine: FakeEngine, top_k: int, told: int | None) -> None:
    engine.processor().add_request(request(sampling_params=sampling(top_k=top_k)), None)
    assert added(engine.probe)["top_k"] == told


def test_stop_strings_stay_out_of_the_ring_when_content_is_off(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "NO_CONTENT")
    engine.processor().add_request(request(), None)
    assert added(engine.probe)["stop"] == ()


def test_a_later_piece_of_a_streamed_prompt_is_no_new_sequence(engine: FakeEngine) -> None:
    processor = engine.processor()
    processor.add_request(request(), "one")
    processor.add_request(request(), "two")
    assert len(engine.probe.named("sequence_add")) == 1
    assert processor.request_states == {"chatcmpl-a-1234": ["one", "two"]}


def test_a_refused_sequence_is_not_told_and_its_error_passes(engine: FakeEngine) -> None:
    with pytest.raises(ValueError, match="refused"):
        engine.processor().add_request(request("refused"), None)
    assert engine.probe.named("sequence_add") == []


def test_outputs_go_to_the_probe_as_they_are_with_the_ids_that_a_stop_string_ended(engine: FakeEngine) -> None:
    outputs = [output("a"), output("b", stopped=True)]
    result = engine.processor().process_outputs(outputs, 1.0, None, weight_version=None)
    (call,) = engine.probe.named("front_outputs")
    assert call.args[0] is outputs
    assert call.args[1] == ["b"] == result.reqs_to_abort


def test_aborts_name_internal_ids_and_an_abort_of_nothing_says_nothing(engine: FakeEngine) -> None:
    processor = engine.processor()
    processor.add_request(request("x"), None)
    assert processor.abort_requests(["x"], internal=True) == ["x"]
    assert processor.abort_requests(["x"], internal=True) == []
    assert [call.args for call in engine.probe.named("sequence_abort")] == [(["x"],)]


def test_aborting_a_parent_names_its_children(engine: FakeEngine) -> None:
    processor = engine.processor()
    parent = SimpleNamespace(request_id="p", sampling_params=sampling(n=2))
    for index in (0, 1):
        processor.add_request(request(f"{index}_p"), None, parent, index)
    assert processor.abort_requests(["p"], True) == ["0_p", "1_p"]
    assert {id_ for call in engine.probe.named("sequence_abort") for id_ in call.args[0]} == {"0_p", "1_p"}


@pytest.mark.parametrize(
    ("names", "told"), [("tiny", "tiny"), (["tiny", "alias"], "tiny"), (None, "/models/tiny"), ([], "/models/tiny")]
)
def test_the_first_served_name_is_the_model(names: str | list[str] | None, told: str) -> None:
    model = SimpleNamespace(served_model_name=names, model="/models/tiny")
    assert served_model(SimpleNamespace(model_config=model)) == told
