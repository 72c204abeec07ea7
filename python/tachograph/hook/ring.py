"""This process's ring: opened when the first hook needs it, closed again in a forked child."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from tachograph.hook import engine
from tachograph.hook.say import say
from tachograph.setting import BODY_LIMIT_BYTES, Setting

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


class Ring:
    """Wraps `_probe`, whose calls do nothing until the ring is open.

    `content` says whether message text may enter it; False until it is open. `opened` is called when it is.
    `generation` is that of the engine, `v0` or `v1`, once a hook has met it.
    """

    def __init__(self, probe: ModuleType, opened: Callable[[], None]) -> None:
        self.probe = probe
        self._opened = opened
        self.content = False
        self.generation = ""
        self._tried = False
        self._fork_watched = False
        self._points: list[tuple[str, str, str]] = []

    def open(self, role: str) -> None:
        """Open it, once. `role` is what this process does: `api_server` or `engine_core`."""
        if self._tried:
            return
        self._tried = True
        setting = Setting(os.environ)
        for complaint in setting.complaints:
            say(complaint)
        try:
            self.probe.open(setting.runtime_dir, setting.ring_bytes, setting.content, BODY_LIMIT_BYTES)
        except OSError as error:
            say(f"this {role} process is not observed, the engine runs on: {error}")
            return
        if not self._fork_watched:
            self._fork_watched = True
            os.register_at_fork(after_in_child=self._forked)
        self.content = setting.content
        here = engine.detect()
        generation = self.generation or here.generation
        self.probe.process(role, here.name, here.version, generation, platform.python_version())
        for point in self._points:
            self.probe.probe(*point)
        self._opened()

    def point(self, name: str, state: str, detail: str) -> None:
        """Note the state of a hook; it is written as soon as there is a ring."""
        self._points.append((name, state, detail))
        self.probe.probe(name, state, detail)

    def fault(self, name: str, error: str) -> None:
        """Note a fault of a hook."""
        self.probe.fault(name, error)

    def _forked(self) -> None:
        self.probe.close_after_fork()
        self._tried = False
