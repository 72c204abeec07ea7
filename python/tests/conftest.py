"""A fake engine, freshly imported for each test, with our hooks on it and a probe that remembers."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
from stub_probe import StubProbe

AGENT = os.environ.get("TACHOGRAPH_TEST_AGENT")
"""A virtual environment with the wheel: what is tested is then what ships, not this tree."""
if AGENT:
    sys.path[:0] = [str(place) for place in Path(AGENT).glob("lib/python3*/site-packages")]

from tachograph.hook.table import Table  # noqa: E402

ENGINE = Path(__file__).parent / "engine"
SGLANG = {
    name: f"{name.replace('.', '/')}.py"
    for name in (
        "sglang.srt.managers.tokenizer_manager",
        "sglang.srt.managers.scheduler_components.output_streamer",
        "sglang.srt.managers.scheduler_components.metrics_reporter",
        "sglang.srt.managers.scheduler",
    )
}
"""Modules of a fake SGLang: not part of the fake vLLM, since a process holds one of them."""
FILES = {
    "vllm": "vllm/__init__.py",
    "fastapi.applications": "fastapi/applications.py",
    "vllm.v1.engine.output_processor": "vllm/v1/engine/output_processor.py",
    "vllm.v1.engine.async_llm": "vllm/v1/engine/async_llm.py",
    "vllm.v1.engine.llm_engine": "vllm/v1/engine/llm_engine.py",
    "vllm.v1.core.sched.scheduler": "vllm/v1/core/sched/scheduler.py",
    "vllm.sequence": "vllm/sequence.py",
    "vllm.core.scheduler": "vllm/core/scheduler.py",
    "vllm.engine.llm_engine": "vllm/engine/llm_engine.py",
    "vllm.engine.async_llm_engine": "vllm/engine/async_llm_engine.py",
    "vllm.engine.multiprocessing.client": "vllm/engine/multiprocessing/client.py",
    "vllm.engine.multiprocessing.engine": "vllm/engine/multiprocessing/engine.py",
}
PARENTS = (
    "fastapi",
    "vllm.v1",
    "vllm.v1.engine",
    "vllm.v1.core",
    "vllm.v1.core.sched",
    "vllm.core",
    "vllm.engine",
    "vllm.engine.multiprocessing",
)


class FakeEngine(NamedTuple):
    """The hooked classes, and the probe that their hooks call."""

    probe: StubProbe
    table: Table
    modules: dict[str, ModuleType]

    @property
    def scheduler_class(self) -> Any:
        return self.modules["vllm.v1.core.sched.scheduler"].Scheduler

    def scheduler(self, kind: str = "Scheduler", /, **parallel: int) -> Any:
        return getattr(self.modules["vllm.v1.core.sched.scheduler"], kind)(config(**parallel), None, None, 16)

    def processor(self) -> Any:
        return self.modules["vllm.v1.engine.async_llm"].AsyncLLM(config(), None, True).output_processor

    def app(self, app: Any) -> Any:
        return self.modules["fastapi.applications"].FastAPI(app)


def config(**parallel: int) -> SimpleNamespace:
    """The parts of a VllmConfig that are read."""
    return SimpleNamespace(
        model_config=SimpleNamespace(served_model_name="tiny", max_model_len=2048),
        scheduler_config=SimpleNamespace(max_num_seqs=128, max_num_batched_tokens=2048),
        cache_config=SimpleNamespace(num_gpu_blocks=1000, block_size=16),
        parallel_config=SimpleNamespace(**(parallel or {"data_parallel_index": 0, "data_parallel_rank": 0})),
    )


def fresh(name: str) -> ModuleType:
    """A module of the fake engine, executed anew and put into `sys.modules`."""
    path = ENGINE / {**FILES, **SGLANG, "sglang": "sglang/__init__.py"}[name]
    search = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=search)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def probe() -> StubProbe:
    return StubProbe()


@pytest.fixture
def engine(probe: StubProbe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    return hooked(probe, monkeypatch, tmp_path)


def hooked(probe: StubProbe, monkeypatch: pytest.MonkeyPatch, runtime_dir: Path) -> FakeEngine:
    """Import the fake engine and attach our hooks to it."""
    monkeypatch.setenv("TACHOGRAPH_RUNTIME_DIR", str(runtime_dir))
    for name in FILES:
        # Registers the name with monkeypatch, so that the fake is gone after the test.
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for parent in PARENTS:
        monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
    table = Table(probe)
    modules = {name: fresh(name) for name in FILES}
    for module in modules.values():
        table.attach(module)
    return FakeEngine(probe, table, modules)


@pytest.fixture
def sglang(probe: StubProbe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    return hooked_sglang(probe, monkeypatch, tmp_path)


def hooked_sglang(probe: StubProbe, monkeypatch: pytest.MonkeyPatch, runtime_dir: Path) -> FakeEngine:
    """Import the fake SGLang and attach our hooks to it, each module when it was imported."""
    monkeypatch.setenv("TACHOGRAPH_RUNTIME_DIR", str(runtime_dir))
    parents = ("sglang.srt", "sglang.srt.managers", "sglang.srt.managers.scheduler_components")
    for name in ("vllm", "sglang.srt.runtime_context"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ("sglang", *parents, *SGLANG):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    fresh("sglang")
    table = Table(probe)
    modules = {}
    for name in SGLANG:
        modules[name] = fresh(name)
        table.attach(modules[name])
    return FakeEngine(probe, table, modules)
