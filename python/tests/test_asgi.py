"""The edge: every byte passes through it unchanged, whatever we do with it."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from conftest import FakeEngine, hooked
from stub_probe import StubProbe

from tachograph.hook.asgi import GENERATION_ROUTES, HTTP_ID
from tachograph.hook.guard import FAULT_INJECTION, FAULTS_MAX

REQUEST = [
    {"type": "http.request", "body": b'{"a"', "more_body": True},
    {"type": "http.request", "body": b": 1}", "more_body": False},
]
STREAM = [
    {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]},
    {"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True},
    {"type": "http.response.body", "body": b"", "more_body": False},
]


def scope(path: str = "/v1/chat/completions", kind: str = "http", method: str = "POST") -> dict[str, Any]:
    return {"type": kind, "method": method, "path": path, "headers": []}


class Client:
    """Drives an application and keeps what each side saw."""

    def __init__(self, messages: list[dict[str, Any]] | None = None) -> None:
        self.incoming = list(REQUEST if messages is None else messages)
        self.sent: list[Any] = []

    async def receive(self) -> Any:
        return self.incoming.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)


class App:
    """Reads the body, answers, and remembers."""

    def __init__(self, then: Callable[[], Awaitable[None]] | None = None) -> None:
        self.received: list[Any] = []
        self.http_ids: list[int] = []
        self.then = then

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.http_ids.append(HTTP_ID.get())
        more = True
        while more:
            message = await receive()
            self.received.append(message)
            more = message.get("more_body", False)
        for message in STREAM:
            await send(message)
        if self.then is not None:
            await self.then()


def serve(engine: FakeEngine, app: Any, scope: dict[str, Any], client: Client | None = None) -> Client:
    client = client or Client()
    asyncio.run(engine.app(app)(scope, client.receive, client.send))
    return client


def test_request_and_response_pass_unchanged_and_are_seen_whole(engine: FakeEngine) -> None:
    app = App()
    client = serve(engine, app, scope())
    assert app.received == REQUEST
    assert client.sent == STREAM
    assert [call.args[0] for call in engine.probe.named("receive")] == REQUEST
    assert [call.args[0] for call in engine.probe.named("send")] == STREAM
    assert [call.args for call in engine.probe.named("end")] == [("",)]


def test_the_application_sees_the_number_of_its_request_and_nobody_after_it(engine: FakeEngine) -> None:
    app = App()
    for _ in range(2):
        serve(engine, app, scope())
    assert app.http_ids == [1, 2]
    assert HTTP_ID.get() == 0


@pytest.mark.parametrize("route", GENERATION_ROUTES)
def test_every_generation_route_is_observed_also_under_a_prefix(engine: FakeEngine, route: str) -> None:
    serve(engine, App(), scope(route))
    serve(engine, App(), scope("/prefix" + route))
    assert len(engine.probe.named("http_start")) == 2


@pytest.mark.parametrize(
    "other",
    [
        scope("/metrics"),
        scope("/health"),
        scope("/v1/chat/completions/render"),
        scope("/v1/chat/completions", method="OPTIONS"),
        scope("/v1/chat/completions", kind="websocket"),
        {"type": "lifespan"},
    ],
)
def test_everything_else_passes_with_its_own_receive_and_send(engine: FakeEngine, other: dict[str, Any]) -> None:
    seen: list[Any] = []

    async def app(*args: Any) -> None:
        seen.extend(args)

    client = serve(engine, app, other)
    assert seen == [other, client.receive, client.send]
    assert engine.probe.named("http_start") == []
    assert engine.probe.named("fault") == []


def test_a_disconnect_is_seen(engine: FakeEngine) -> None:
    gone: list[dict[str, Any]] = [*REQUEST, {"type": "http.disconnect"}]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in gone:
            await receive()

    serve(engine, app, scope(), Client(gone))
    assert engine.probe.named("receive")[-1].args[0] == {"type": "http.disconnect"}


def test_an_exception_of_the_application_passes_and_names_the_end(engine: FakeEngine) -> None:
    error = ValueError("theirs")

    async def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="theirs") as caught:
        serve(engine, App(fail), scope())
    assert caught.value is error
    assert engine.probe.named("end")[0].args == ("ValueError",)


def test_a_failing_send_reaches_the_application(engine: FakeEngine) -> None:
    class Gone(Client):
        async def send(self, message: Any) -> None:
            raise OSError("client gone")

    with pytest.raises(OSError, match="client gone"):
        serve(engine, App(), scope(), Gone())
    assert engine.probe.named("end")[0].args == ("OSError",)


def test_cancellation_passes_and_ends_the_request(engine: FakeEngine) -> None:
    async def run() -> None:
        started = asyncio.Event()

        async def hang() -> None:
            started.set()
            await asyncio.Event().wait()

        client = Client()
        task = asyncio.create_task(engine.app(App(hang))(scope(), client.receive, client.send))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert engine.probe.named("end")[0].args == ("CancelledError",)


def test_a_request_that_is_closed_in_another_context_ends_without_a_fault_to_the_server(engine: FakeEngine) -> None:
    async def hang(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.get_running_loop().create_future()

    async def run() -> None:
        client = Client()
        running = engine.app(hang)(scope(), client.receive, client.send)
        contextvars.copy_context().run(running.send, None)
        running.close()

    asyncio.run(run())
    assert engine.probe.named("end")[0].args == ("GeneratorExit",)


def test_an_application_mounted_in_another_one_is_observed_once(engine: FakeEngine) -> None:
    inner = engine.app(App())
    client = serve(engine, inner, scope())
    assert client.sent == STREAM
    assert len(engine.probe.named("http_start")) == 1


@pytest.mark.parametrize("broken", ["http_start", "receive", "end"])
def test_our_fault_in_any_place_leaves_the_request_as_it_is(engine: FakeEngine, broken: str) -> None:
    engine.probe.broken[broken] = ValueError(broken)
    app = App()
    assert serve(engine, app, scope()).sent == STREAM
    assert app.received == REQUEST
    assert engine.probe.named("fault")[0].args[1] == f"ValueError: {broken}"


def test_a_send_that_cannot_be_wrapped_is_used_as_it_is(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stub_probe.StubRequest.wrap_send", None)
    assert serve(engine, App(), scope()).sent == STREAM
    assert len(engine.probe.named("fault")) == 1


def test_an_injected_fault_leaves_requests_alone_and_takes_the_edge_out(
    monkeypatch: pytest.MonkeyPatch, probe: StubProbe, tmp_path: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FAULT_INJECTION, "all")
    engine = hooked(probe, monkeypatch, tmp_path)
    app = engine.app(App())

    async def run() -> None:
        for _ in range(FAULTS_MAX + 2):
            client = Client()
            await app(scope(), client.receive, client.send)
            assert client.sent == STREAM

    asyncio.run(run())
    assert len(engine.probe.named("fault")) == FAULTS_MAX
    assert "is no longer observed" in capfd.readouterr().err


def test_an_application_that_is_no_engine_is_left_alone(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "vllm")
    app = App()
    assert engine.app(app).build_middleware_stack() is app
    assert engine.probe.opened is False
