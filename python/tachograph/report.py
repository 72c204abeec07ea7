"""What `tachograph-bootstrap -a check` finds, for people and for programs (docs/doctor.md)."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any, NamedTuple

from tachograph import __version__, startup_file
from tachograph.environment import Engine, engines
from tachograph.launch import find_binary
from tachograph.setting import Setting, enabled

ALL_WELL, SOMETHING_LOST, CANNOT_TELL = 0, 1, 2
"""Exit codes, those of `tachograph doctor` too."""


class Report(NamedTuple):
    """This environment."""

    extension: str
    """Why the extension cannot be loaded; empty where it can."""
    supervisor: str
    """Path of the program `tachograph`; empty where there is none."""
    engines: list[Engine]
    autostart: startup_file.State
    enabled: bool
    complaints: list[str]
    """Settings of this process's environment that were not understood."""

    @property
    def works(self) -> bool:
        """Whether the package itself is whole."""
        return not self.extension and bool(self.supervisor)

    @property
    def code(self) -> int:
        """The exit code of a check."""
        if self.works and not self.engines:
            return CANNOT_TELL
        lost = not self.works or not self.enabled or self.complaints or any(engine.lost() for engine in self.engines)
        return SOMETHING_LOST if lost else ALL_WELL

    def json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "tachograph": __version__,
            "python": {"executable": sys.executable, "version": platform.python_version()},
            "probe": {"loads": not self.extension, "error": self.extension or None},
            "supervisor": self.supervisor or None,
            "enabled": self.enabled,
            "autostart": {
                "file": self.autostart.path,
                "installed": self.autostart.there,
                "problem": self.autostart.problem or None,
            },
            "engines": [
                {
                    "name": engine.name,
                    "version": engine.version or None,
                    "generation": engine.generation or None,
                    "place": engine.place,
                    "probes": [probe._asdict() for probe in engine.probes],
                    "lost": engine.lost(),
                }
                for engine in self.engines
            ],
            "complaints": self.complaints,
            "code": self.code,
        }

    def lines(self) -> list[str]:
        """For people; what is wrong begins with `!`."""
        lines = [_line("probe", f"loads in Python {platform.python_version()}", self.extension)]
        lines.append(_line("supervisor", self.supervisor, "" if self.supervisor else _NO_SUPERVISOR))
        if not self.enabled:
            lines.append(_line("recording", "", "turned off by TACHOGRAPH_ENABLED or OTEL_SDK_DISABLED"))
        lines += [_line("setting", "", complaint) for complaint in self.complaints]
        lines.append(self._autostart())
        if not self.engines:
            lines.append(_line("engine", "", "no vllm and no sglang in this environment; run this in the engine's"))
        for engine in self.engines:
            lines += _engine(engine)
        return lines

    def _autostart(self) -> str:
        if self.autostart.there:
            said = self.autostart.path
        elif self.autostart.problem:
            said = f"not possible, the launch command works without it: {self.autostart.problem}"
        else:
            said = "not installed: processes that drop PYTHONPATH (python -E, sudo) are not observed"
        return _line("auto-start", said, "")


_NO_SUPERVISOR = "no program `tachograph` here or on PATH; install the wheel again"


def report() -> Report:
    """Look at this environment. Imports no engine and changes nothing."""
    # Whether it is on is asked as if this process belonged to a launch.
    environ = {**os.environ, "TACHOGRAPH_RUNTIME_DIR": os.environ.get("TACHOGRAPH_RUNTIME_DIR") or "."}
    return Report(
        _extension(), find_binary() or "", engines(os.environ), startup_file.state(), enabled(environ),
        Setting(environ).complaints,
    )  # fmt: skip


def _extension() -> str:
    try:
        from tachograph import _probe
    except ImportError as error:
        return f"cannot be loaded: {error}"
    return "" if _probe else "cannot be loaded"


def _line(what: str, good: str, bad: str) -> str:
    return f"{'!' if bad else ' '} {what + ':':12} {bad or good}"


def _engine(engine: Engine) -> list[str]:
    state = [probe.state for probe in engine.probes]
    name = " ".join(filter(None, (engine.name, engine.version or "of unknown version", engine.generation.upper())))
    lines = [
        _line("engine", f"{name} in {engine.place}", ""),
        _line("hooks", f"{state.count('live')} live, {state.count('missing')} missing,"
              f" {state.count('not_applicable')} not applicable", ""),
    ]  # fmt: skip
    return lines + [_line("lost", "", lost) for lost in engine.lost()]
