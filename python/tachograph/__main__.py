"""`python /where/it/lies/tachograph`: `tachograph-bootstrap` in an environment that does not have the package."""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    # Python put this directory first, where our modules would stand in front of others of their names.
    sys.path[:] = [place for place in sys.path if os.path.abspath(place or os.curdir) != here]
    spec = PathFinder.find_spec("tachograph", [os.path.dirname(here)])
    if spec is None or spec.loader is None:
        sys.exit(f"tachograph: no package in {here}")
    package = module_from_spec(spec)
    sys.modules["tachograph"] = package
    spec.loader.exec_module(package)
    from tachograph.bootstrap import bootstrap

    sys.exit(bootstrap())
