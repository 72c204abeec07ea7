"""The command `tachograph-instrument CMD…`: becomes `tachograph run`, the supervisor, which starts the command."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = """usage: tachograph-instrument COMMAND [ARGUMENT…]
Runs COMMAND, e.g. `vllm serve MODEL`, with the flight recorder on. Arguments are passed on as they are."""

INJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inject")
"""What goes in front of the engine's PYTHONPATH: its `sitecustomize.py` is all that Python finds there."""

# Exit codes of a shell (POSIX 2.8.2).
NOT_EXECUTABLE = 126
NOT_FOUND = 127


def instrument() -> int:
    """Replace this process by the supervisor, or by the command alone where there is no supervisor."""
    command = sys.argv[1:]
    if not command or command[0] in ("-h", "--help"):
        sys.stderr.write(USAGE + "\n")
        return 0 if command else 2
    if command[0] == "--":
        command = command[1:]
    binary = find_binary()
    if binary is None:
        sys.stderr.write(
            "tachograph: nothing is observed, the command runs alone: "
            f"no `tachograph` beside {sys.executable} or on PATH; install the wheel again\n"
        )
        return execute(command)
    return execute([binary, "run", "--inject", INJECT, "--", *command])


def find_binary() -> str | None:
    """The program `tachograph`: of this environment first, then of PATH."""
    for directory in (os.path.dirname(sys.executable), sysconfig.get_path("scripts")):
        path = os.path.join(directory, "tachograph")
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return shutil.which("tachograph")


def execute(command: Sequence[str]) -> int:
    """Become `command`; where that cannot be done, say why as a shell does and return its exit code."""
    if not command:
        sys.stderr.write(USAGE + "\n")
        return 2
    try:
        os.execvp(command[0], list(command))
    except FileNotFoundError:
        sys.stderr.write(f"tachograph-instrument: {command[0]}: command not found\n")
        return NOT_FOUND
    except OSError as error:
        sys.stderr.write(f"tachograph-instrument: {command[0]}: {error.strerror}\n")
        return NOT_EXECUTABLE
