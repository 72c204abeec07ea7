"""What `tachograph-autostart.pth` calls in every Python process of a launch: it imports next to nothing."""

from __future__ import annotations

import os
import sys


def start() -> None:
    """Set the import hook, unless our directory on PYTHONPATH will do it: that may be another installation of ours."""
    try:
        if any(os.path.basename(place.rstrip(os.sep)) == "inject" and _is_ours(place) for place in sys.path):
            # Which then loads the package that belongs to it.
            for name in (__name__, "tachograph"):
                sys.modules.pop(name, None)
            return
        from tachograph.hook import install

        install()
    except Exception as error:
        sys.stderr.write(f"tachograph: process {os.getpid()} is not observed: {type(error).__name__}: {error}\n")


def _is_ours(inject: str) -> bool:
    package = os.path.dirname(os.path.abspath(inject))
    return os.path.basename(package) == "tachograph" and os.path.isfile(os.path.join(inject, "sitecustomize.py"))
