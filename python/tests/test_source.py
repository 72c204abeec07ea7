"""Methods of an engine are found in its files, without running a line of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tachograph.source import Source

BASE = """
raise AssertionError("executed")
class Base:
    def own(self): ...
    async def coroutine(self): ...
    assigned = own
    if True:
        def conditional(self): ...
    def outer(self):
        def inner(self): ...
"""
MODULES = {
    "engine/__init__.py": "",
    "engine/base.py": BASE,
    "engine/part/__init__.py": "from ..base import Base as Exported",
    "engine/child.py": """
from engine.part import Exported
import engine.base as base
class ByName(Exported): ...
class ByModule(base.Base): ...
class ByGeneric(Exported[int]): ...
Alias = ByName
try:
    from missing import Elsewhere
except ImportError:
    class Elsewhere(ByName): ...
class Circle(Circle2): ...
class Circle2(Circle): ...
class Loop: ...
""",
    "engine/shim.py": "from engine.child import ByName\nShim = ByName\n",
    "engine/replaced.py": "from engine.base import Base\nclass Engine:\n    def old(self): ...\nEngine = Base\n",
    "engine/broken.py": "class Broken(:\n",
    "engine/compiled.cpython-311-x86_64-linux-gnu.so": "",
}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    for name, text in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Source([str(tmp_path)])


@pytest.mark.parametrize("method", ["own", "coroutine", "assigned", "conditional"])
@pytest.mark.parametrize("owner", ["ByName", "ByModule", "ByGeneric", "Alias", "Elsewhere"])
def test_a_method_is_found_through_every_way_to_inherit_it(source: Source, owner: str, method: str) -> None:
    assert source.has_method("engine.child", owner, method) is True


@pytest.mark.parametrize(
    ("module", "owner", "method"),
    [
        ("engine.base", "Base", "inner"),
        ("engine.base", "Base", "absent"),
        ("engine.base", "Absent", "own"),
        ("engine.absent", "Base", "own"),
        ("engine.child", "Circle", "own"),
        ("engine.child", "Loop", "own"),
    ],
)
def test_what_is_not_there_is_not_found(source: Source, module: str, owner: str, method: str) -> None:
    assert source.has_method(module, owner, method) is False


@pytest.mark.parametrize("module", ["engine.broken", "engine.compiled"])
def test_of_a_file_that_is_no_readable_python_nothing_is_said(source: Source, module: str) -> None:
    assert source.has_method(module, "Broken", "own") is None


def test_a_class_that_another_replaces_in_the_end_is_still_defined_and_another_name_is_not(source: Source) -> None:
    assert source.has_method("engine.shim", "Shim", "own") is True
    assert source.defines("engine.replaced", "Engine")
    assert not source.defines("engine.shim", "Shim")
    assert source.has_method("engine.replaced", "Engine", "old") is True
