"""What the end-to-end tests share: a server, engines with and without the agent, an OTLP sink that is not ours.

Run by `cargo xtask check`, which says where everything is (TACHOGRAPH_TEST_*).
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from process import Engine, Server, free_port

COLLECT = {"server": "one server for the whole run; its data is what the UI's tests look at afterwards"}


def place(name: str) -> Path:
    """A path that xtask gives."""
    value = os.environ.get(f"TACHOGRAPH_TEST_{name}")
    if not value:
        pytest.skip(f"TACHOGRAPH_TEST_{name} is not set: run `cargo xtask check`")
    return Path(value)


@pytest.fixture(scope="session")
def agent() -> Path:
    """Programs of the installed wheel."""
    return place("AGENT") / "bin"


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where logs go."""
    directory = place("ARTIFACTS") / "e2e"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture(scope="session")
def server(agent: Path, artifacts: Path) -> Iterator[Server]:
    """`tachograph serve` on ports of its own."""
    server = Server(agent, place("DATA"), artifacts / "server.log")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def engines(agent: Path, artifacts: Path, server: Server) -> Iterator[dict[str, Engine]]:
    """The same vLLM twice, started side by side: `observed` under the agent, `plain` without it."""
    vllm, model = place("VLLM"), place("MODEL")
    observed = Engine(vllm, model, artifacts / "vllm-observed.log", agent=agent, endpoint=server.grpc)
    plain = Engine(vllm, model, artifacts / "vllm-plain.log")
    for engine in (observed, plain):
        engine.start()
    try:
        for engine in (observed, plain):
            engine.wait_ready()
        yield {"observed": observed, "plain": plain}
    finally:
        for engine in (observed, plain):
            engine.stop()


@pytest.fixture
def observed(engines: dict[str, Engine]) -> Engine:
    """vLLM under the agent, exporting to `server`."""
    return engines["observed"]


@pytest.fixture
def plain(engines: dict[str, Engine]) -> Engine:
    """vLLM without the agent."""
    return engines["plain"]


@pytest.fixture(scope="session")
def sink_port() -> int:
    """A port for the OTLP sink."""
    return free_port()
