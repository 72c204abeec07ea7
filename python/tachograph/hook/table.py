"""All hooks of a process, and the one ring they share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tachograph.hook import engine
from tachograph.hook.asgi import edge
from tachograph.hook.ring import Ring
from tachograph.hook.say import say
from tachograph.hook.vllm_v1 import points

if TYPE_CHECKING:
    from types import ModuleType

    from tachograph.hook.point import Point


class Table:
    """The points, by module, of every engine that we know."""

    def __init__(self, probe: ModuleType) -> None:
        self.ring = Ring(probe, self.report_absent)
        self._points: tuple[Point, ...] = (edge(self.ring), *points(self.ring))

    def attach(self, module: ModuleType) -> None:
        """Wrap what is to be wrapped in a module that was just imported."""
        for point in self._points:
            if point.module == module.__name__:
                point.attach(module, self.ring)

    def report_absent(self) -> None:
        """Note as missing what no import will ever bring: another version, generation or front end."""
        here = engine.detect()
        for point in self._points:
            if here.generation == "v0" and point.module.startswith("vllm.v1."):
                self.ring.point(point.name, "missing", f"the V0 engine does not use it; {point.lost}")
            elif not engine.has_module(point.module):
                self.ring.point(point.name, "missing", f"{here.name} {here.version} has no such module; {point.lost}")
            elif point.around is not None and os.environ.get("VLLM_USE_RUST_FRONTEND") == "1":
                self.ring.point(point.name, "missing", f"vLLM's Rust front end runs no Python; {point.lost}")


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
