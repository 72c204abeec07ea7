"""The command `tachograph-bootstrap`: says whether an environment is ready. It changes nothing: nothing is needed."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import re
import sys

from tachograph import __version__
from tachograph.hook import MODULES
from tachograph.launch import find_binary

LAUNCH = "tachograph-instrument vllm serve MODEL"


def bootstrap() -> int:
    """Run the action asked for; exit code 0 where the environment is as it should be, else 1."""
    parser = argparse.ArgumentParser(prog="tachograph-bootstrap", description="Prepare an environment, and prove it.")
    parser.add_argument("-a", "--action", choices=tuple(_ACTIONS), default="check", help="default: check")
    return _ACTIONS[parser.parse_args().action]()


def check() -> int:
    """Print what is there, without importing the engine: that would import torch."""
    ready = _report("probe", _probe())
    ready &= _report("supervisor", find_binary() or "!no program `tachograph` here or on PATH; install the wheel again")
    ready &= _report("engine", _engine())
    print("ready" if ready else "not ready: what is marked with ! is missing")
    return 0 if ready else 1


def install() -> int:
    """The wheel is all that is needed, so this only checks, and says how to start."""
    code = check()
    if code == 0:
        print(f"Nothing else to install. Put the command in front of the engine's own: {LAUNCH}")
    return code


def uninstall() -> int:
    """Nothing was installed beside the wheel."""
    print("Nothing to undo: this environment was not changed. `pip uninstall tachograph` removes the package itself.")
    return 0


def requirements() -> int:
    """No package is added to the engine's environment; stdout stays empty, as a requirements file would be."""
    sys.stderr.write("No requirements: the package depends on none.\n")
    return 0


_ACTIONS = {"install": install, "uninstall": uninstall, "check": check, "requirements": requirements}


def _report(what: str, finding: str) -> bool:
    missing = finding.startswith("!")
    print(f"{'!' if missing else ' '} {what}: {finding.lstrip('!')}")
    return not missing


def _probe() -> str:
    try:
        from tachograph import _probe
    except ImportError as error:
        return f"!cannot be loaded: {error}"
    return f"{_probe.__name__} {__version__}, Python {platform.python_version()}"


def _engine() -> str:
    spec = importlib.util.find_spec("vllm")
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    if not places:
        return "!no vllm in this environment; install it, or run this command in the environment of the engine"
    version = _version(places[0])
    absent = sorted(name for name in MODULES if name.startswith("vllm.") and not _exists(places[0], name))
    if absent:
        return f"!vllm {version} in {places[0]} has no module {', '.join(absent)}; only vLLM's V1 engine is observed"
    return f"vllm {version} in {places[0]}"


def _version(place: str) -> str:
    try:
        with open(os.path.join(place, "_version.py"), encoding="utf-8") as file:
            match = re.search(r"""^(?:__version__ = )?version = ["']([^"']+)["']""", file.read(), re.MULTILINE)
    except OSError:
        match = None
    return match.group(1) if match else "of unknown version"


def _exists(place: str, name: str) -> bool:
    return os.path.isfile(os.path.join(place, *name.split(".")[1:]) + ".py")
