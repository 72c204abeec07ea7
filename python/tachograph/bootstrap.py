"""The command `tachograph-bootstrap`: says whether an environment is ready, and prepares it."""

from __future__ import annotations

import argparse
import json
import sys

from tachograph import startup_file
from tachograph.report import report

LAUNCH = "tachograph-instrument vllm serve MODEL"


def bootstrap() -> int:
    """Run the action asked for."""
    parser = argparse.ArgumentParser(prog="tachograph-bootstrap", description="Prepare an environment, and prove it.")
    parser.add_argument("-a", "--action", choices=("check", "install", "uninstall", "requirements"), default="check")
    parser.add_argument("--json", action="store_true", help="print the check as JSON (docs/doctor.md)")
    parser.add_argument("--hooks", action="store_true", help="print every hook with its state")
    asked = parser.parse_args()
    if asked.action == "install":
        return install(asked.json, asked.hooks)
    if asked.action == "uninstall":
        return uninstall()
    if asked.action == "requirements":
        return requirements()
    return check(asked.json, asked.hooks)


def check(as_json: bool, hooks: bool) -> int:
    """Print what is there, without importing the engine: 0 all well, 1 something is lost, 2 no engine here."""
    found = report()
    if as_json:
        print(json.dumps(found.json(), indent=2))
        return found.code
    print("\n".join(found.lines()))
    for engine in found.engines if hooks else ():
        print("\n".join(f"  {probe.state:14} {probe.name}  {probe.detail}".rstrip() for probe in engine.probes))
    return found.code


def install(as_json: bool, hooks: bool) -> int:
    """Write the auto-start file and check. Fails only where nothing could be observed: the engine's start may wait."""
    startup_file.install()
    check(as_json, hooks)
    works = report().works
    if works and not as_json:
        print(f"ready; put the command in front of the engine's own: {LAUNCH}")
    return 0 if works else 1


def uninstall() -> int:
    """Remove the auto-start file, the only one beside the wheel's own."""
    now = startup_file.uninstall()
    if now.there:
        sys.stderr.write(f"tachograph-bootstrap: {now.path} is still there, remove it by hand: {now.problem}\n")
        return 1
    print("Nothing of ours is left but the package itself: `pip uninstall tachograph` removes it.")
    return 0


def requirements() -> int:
    """No package is added to the engine's environment; stdout stays empty, as a requirements file would be."""
    sys.stderr.write("No requirements: the package depends on none.\n")
    return 0
