"""The fake vLLM as a release that has V0, with our hooks on it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import FakeEngine, config, hooked
from stub_probe import StubProbe


class V0Engine:
    """The hooked classes of V0, and the probe that their hooks call."""

    def __init__(self, engine: FakeEngine) -> None:
        self.probe = engine.probe
        self.table = engine.table
        self.modules = engine.modules

    def made(self, module: str, name: str, *args: Any, **kwargs: Any) -> Any:
        """An object of a class of V0."""
        return getattr(self.modules[f"vllm.{module}"], name)(*args, **kwargs)

    def engine(self, stages: int = 1) -> Any:
        """What `LLM(...)` makes."""
        return self.made("engine.llm_engine", "LLMEngine", v0_config(stages), None, True)

    def client(self) -> Any:
        """What the API server asks."""
        return self.made("engine.multiprocessing.client", "MQLLMEngineClient", "ipc", v0_config(), 1)


def hooked_v0(probe: StubProbe, monkeypatch: pytest.MonkeyPatch, runtime_dir: Path) -> V0Engine:
    """Import the fake engine as 0.8.5 and attach our hooks to it."""
    engine = hooked(probe, monkeypatch, runtime_dir)
    sys.modules["vllm"].__version__ = "0.8.5.post2"  # type: ignore[attr-defined]
    return V0Engine(engine)


def v0_config(stages: int = 1) -> SimpleNamespace:
    """The parts of a VllmConfig that V0's hooks read."""
    made = config(pipeline_parallel_size=stages)
    made.cache_config.num_cpu_blocks = 100
    return made
