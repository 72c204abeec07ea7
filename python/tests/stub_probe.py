"""A `_probe` that remembers what it is told, for tests of what Python says to it."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple


class Call(NamedTuple):
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class StubRequest:
    def __init__(self, probe: StubProbe, number: int) -> None:
        self.id = number
        self._probe = probe

    def receive(self, message: Any) -> None:
        self._probe.take("receive", message)

    def wrap_send(self, send: Any) -> Any:
        def observed(message: Any) -> Any:
            self._probe.take("send", message)
            return send(message)

        return observed

    def end(self, error: str) -> None:
        self._probe.take("end", error)


class StubBatch:
    def __init__(self, probe: StubProbe, reqs: Any) -> None:
        self.reqs = reqs
        self._probe = probe

    def outputs(self, *args: Any) -> None:
        self._probe.take("outputs", self.reqs, *args)


class StubProbe(ModuleType):
    """Like the extension, it takes nothing until it is open. `broken` names the calls that raise."""

    def __init__(self) -> None:
        super().__init__("tachograph._probe")
        self.calls: list[Call] = []
        self.broken: dict[str, BaseException] = {}
        self.opened = False
        self.off = False
        self.requests = 0
        self.prompt_tokens = 0

    def open(self, *args: Any) -> str:
        if "open" in self.broken:
            raise self.broken["open"]
        self.opened = True
        self.take("open", *args)
        return "ring"

    def suppressed(self) -> bool:
        return self.opened and self.off

    def close_after_fork(self) -> None:
        self.opened = False

    def now_ns(self) -> int:
        if "now_ns" in self.broken:
            raise self.broken["now_ns"]
        return 42

    def v0_step(self, *args: Any) -> int:
        self.take("v0_step", *args)
        return self.prompt_tokens

    def http_start(self, scope: Any) -> StubRequest | None:
        self.take("http_start", scope)
        self.requests += 1
        return StubRequest(self, self.requests) if self.opened else None

    def sglang_batch(self, reqs: Any) -> StubBatch | None:
        self.take("sglang_batch", reqs)
        return StubBatch(self, reqs) if self.opened else None

    def take(self, name: str, *args: Any, **kwargs: Any) -> None:
        if name in self.broken:
            raise self.broken[name]
        if self.opened:
            self.calls.append(Call(name, args, kwargs))

    def named(self, name: str) -> list[Call]:
        return [call for call in self.calls if call.name == name]

    def states(self) -> dict[str, str]:
        return {call.args[0]: call.args[1] for call in self.named("probe")}


def _recorder(name: str) -> Any:
    return lambda self, *args, **kwargs: self.take(name, *args, **kwargs)


for _name in (
    "process",
    "probe",
    "fault",
    "sequence_add",
    "front_outputs",
    "sequence_abort",
    "engine",
    "queued",
    "step",
    "preempted",
    "step_outputs",
    "finished",
    "sglang_step",
    "sglang_front",
    "sglang_front_abort",
    "sample",
    "v0_step_outputs",
):
    setattr(StubProbe, _name, _recorder(_name))
