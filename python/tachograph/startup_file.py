"""One file in site-packages that makes the hooks load where a process of a launch has lost its PYTHONPATH.

`python -E` and `-I`, `sudo` and some process managers drop it. The launch commands work without this file.
"""

from __future__ import annotations

import os
import site
import sysconfig
import tempfile
from typing import NamedTuple

FILE_NAME = "tachograph-autostart.pth"

CONTENT = """\
# Written by `tachograph-bootstrap -a install`, removed by `-a uninstall`. Does nothing outside a launch of Tachograph.
import os; os.environ.get("TACHOGRAPH_RUNTIME_DIR") and __import__("importlib.util") and \
__import__("importlib").util.find_spec("tachograph") and __import__("tachograph.autostart").autostart.start()
"""
"""A line of a .pth file that begins with `import` is executed. Outside a launch it reads one variable; where the
package was removed without `-a uninstall` it does nothing. In a virtual environment with lib64 it runs twice."""


class State(NamedTuple):
    """Where the file belongs, whether it is there, and why it cannot be; `problem` is empty where it can."""

    path: str
    there: bool
    problem: str


def state() -> State:
    """Look; change nothing."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.path.join(folder, FILE_NAME)
    if os.path.realpath(folder) not in {os.path.realpath(place) for place in _site_directories()}:
        return State(path, False, f"the package is not installed in this environment but lies in {folder}")
    there = _read(path) is not None
    if not there and not os.access(folder, os.W_OK):
        return State(path, False, f"{folder} is read-only")
    return State(path, there, "")


def install() -> State:
    """Write the file, whole or not at all. Where it is there already nothing changes."""
    now = state()
    if now.problem or _read(now.path) == CONTENT:
        return now
    try:
        handle, draft = tempfile.mkstemp(dir=os.path.dirname(now.path))
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(CONTENT)
        os.chmod(draft, 0o644)
        os.replace(draft, now.path)
    except OSError as error:
        return State(now.path, now.there, str(error))
    return State(now.path, True, "")


def uninstall() -> State:
    """Remove the file, and no other."""
    now = state()
    try:
        os.remove(now.path)
    except FileNotFoundError:
        return State(now.path, False, "")
    except OSError as error:
        return State(now.path, True, str(error))
    return State(now.path, False, "")


def _site_directories() -> list[str]:
    """Where this interpreter executes .pth files."""
    places = [*site.getsitepackages(), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return [*places, site.getusersitepackages()] if site.ENABLE_USER_SITE else places


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(4 * len(CONTENT))
    except (OSError, UnicodeDecodeError):
        return None
