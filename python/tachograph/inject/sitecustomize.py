"""The only file of ours on the engine's PYTHONPATH: runs at the start of every Python process of a launch.

It stands in front of any other `sitecustomize` (distributions ship one), so it runs that one too. It must stay
small and must not fail: a process that never imports an engine pays only for what is written here.
"""

import os
import sys


def _run_next() -> None:
    """Run the `sitecustomize` that this file hides. What it raises is its own affair, as it is without us."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    here = os.path.dirname(os.path.abspath(__file__))
    places = [os.path.abspath(place or os.curdir) for place in sys.path]
    after = places.index(here) + 1 if here in places else 0
    spec = PathFinder.find_spec("sitecustomize", [place for place in places[after:] if place != here])
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


def _install() -> None:
    """Load our package by its place on disk, without making its neighbours importable, and set the import hook."""
    if not os.environ.get("TACHOGRAPH_RUNTIME_DIR"):
        return
    try:
        if "tachograph" not in sys.modules:
            from importlib.machinery import PathFinder
            from importlib.util import module_from_spec

            package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
            spec = PathFinder.find_spec("tachograph", [os.path.dirname(package)])
            if spec is None or spec.loader is None:
                raise ImportError("no package tachograph in " + os.path.dirname(package))
            module = module_from_spec(spec)
            sys.modules["tachograph"] = module
            spec.loader.exec_module(module)
        from tachograph.hook import install

        install()
    except Exception as error:
        sys.stderr.write(f"tachograph: process {os.getpid()} is not observed: {type(error).__name__}: {error}\n")


try:
    _run_next()
finally:
    _install()
