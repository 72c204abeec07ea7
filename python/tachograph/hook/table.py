"""All hooks of a process, and the one ring they share."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from tachograph.hook import engine
from tachograph.hook.asgi import edge
from tachograph.hook.ring import Ring
from tachograph.hook.say import say

if TYPE_CHECKING:
    from types import ModuleType

    from tachograph.hook.point import Point


class Line(NamedTuple):
    """The hooks of one engine and generation."""

    engine: str
    generation: str
    package: str


LINES = (
    Line("vllm", "v1", "tachograph.hook.vllm_v1"),
    Line("vllm", "v0", "tachograph.hook.vllm_v0"),
    Line("sglang", "", "tachograph.hook.sglang"),
)
"""The engines that we know."""


class Table:
    """The points of the engine that this process imports; of one that it does not import none are made."""

    def __init__(self, probe: ModuleType) -> None:
        self.ring = Ring(probe, self.report_absent)
        self._edge = edge(self.ring)
        self._points: dict[Line, tuple[Point, ...]] = {}
        self._live: set[str] = set()
        self._seen: set[str] = set()

    def attach(self, module: ModuleType) -> None:
        """Wrap what is to be wrapped in a module that was just imported."""
        name = module.__name__
        if name == self._edge.module:
            self._edge.attach(module, self.ring)
            return
        self._seen.add(name)
        for line in LINES:
            if name.partition(".")[0] == line.engine:
                for point in self.points(line):
                    if point.module == name and point.attach(module, self.ring):
                        self._live.add(point.name)

    def points(self, line: Line) -> tuple[Point, ...]:
        """The points of an engine line, made when they are first asked for."""
        if line not in self._points:
            self._points[line] = import_module(line.package).points(self.ring)
        return self._points[line]

    def report_absent(self) -> None:
        """Note what no import will ever bring: another version, generation or front end."""
        here = engine.detect()
        generation = self.ring.generation or here.generation
        if os.environ.get(RUST_FRONT_ENDS.get(here.name, ""), "").strip().lower() in ("1", "true"):
            lost = f"{here.name}'s Rust front end runs no Python; {self._edge.lost}"
            self.ring.point(self._edge.name, "missing", lost)
        for line in LINES:
            if line.engine != here.name:
                continue
            for point in self.points(line):
                if line.generation != generation:
                    detail = f"the {generation.upper()} engine does not use it"
                    self.ring.point(point.name, "not_applicable", detail)
                elif point.role:
                    self._report_alternative(point, [other for other in self.points(line) if other.role == point.role])
                elif not engine.has_module(point.module):
                    lost = f"{here.name} {here.version} has no such module; {point.lost}"
                    self.ring.point(point.name, "missing", lost)

    def _report_alternative(self, point: Point, alternatives: list[Point]) -> None:
        """Note what a function that is not there means beside those that do the same in other versions."""
        if point.name in self._live:
            return
        live = [other.name for other in alternatives if other.name in self._live]
        if live:
            self.ring.point(point.name, "not_applicable", f"this version has {live[0]}")
        elif all(other.module in self._seen or not engine.has_module(other.module) for other in alternatives):
            self.ring.point(point.name, "missing", point.lost)


RUST_FRONT_ENDS = {"vllm": "VLLM_USE_RUST_FRONTEND", "sglang": "SGLANG_RUST_SERVER"}
"""Environment variables that put a front end without Python in place of the engine's own."""


_table: Table | None = None
_unusable = False


def attach(module: ModuleType) -> None:
    """Wrap what is to be wrapped in `module`. Without the extension nothing is, and one line says so."""
    global _table, _unusable
    if _unusable:
        return
    if _table is None:
        try:
            from tachograph import _probe
        except ImportError as error:
            _unusable = True
            say(f"this process is not observed, the engine runs on: the probe cannot be loaded: {error}")
            return
        _table = Table(_probe)
    _table.attach(module)
