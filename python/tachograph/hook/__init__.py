"""Hooks in the engine's modules. Installed by `inject/sitecustomize.py`, each when its module is imported.

This file and `finder.py` run in every Python process of a launch, so they import next to nothing.
"""

from __future__ import annotations

import os
import sys

from tachograph.hook.finder import Finder
from tachograph.setting import enabled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

MODULES = frozenset(
    {
        "fastapi.applications",
        "sglang.srt.managers.scheduler",
        "sglang.srt.managers.scheduler_components.metrics_reporter",
        "sglang.srt.managers.scheduler_components.output_streamer",
        "sglang.srt.managers.tokenizer_manager",
        "vllm.core.scheduler",
        "vllm.engine.async_llm_engine",
        "vllm.engine.llm_engine",
        "vllm.engine.multiprocessing.client",
        "vllm.engine.multiprocessing.engine",
        "vllm.v1.core.sched.scheduler",
        "vllm.v1.engine.async_llm",
        "vllm.v1.engine.llm_engine",
        "vllm.v1.engine.output_processor",
    }
)
"""Modules with hooks, of all engines; `table.py` says whose."""


def install() -> None:
    """Wait for the engine's modules, where the environment allows it. Calling it again changes nothing."""
    if not enabled(os.environ) or any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, Finder(MODULES, _imported))
    for name in MODULES:
        module = sys.modules.get(name)
        if module is not None:
            _imported(module)


def _imported(module: ModuleType) -> None:
    from tachograph.hook.table import attach

    attach(module)
