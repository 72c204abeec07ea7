"""What the wheel promises."""

from __future__ import annotations

import re
from pathlib import Path

import tachograph

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_version_is_that_of_the_workspace() -> None:
    manifest = (ROOT / "Cargo.toml").read_text()
    match = re.search(r'^\[workspace\.package\]\nversion = "([^"]+)"', manifest, re.MULTILINE)
    assert match is not None
    assert match.group(1) == tachograph.__version__


def test_nothing_but_the_standard_library_is_imported() -> None:
    ours = {"tachograph", "__future__"}
    for path in Path(tachograph.__file__).parent.rglob("*.py"):
        for name in re.findall(r"^\s*(?:from|import) ([A-Za-z_]\w*)", path.read_text(), re.MULTILINE):
            assert name in ours | _STANDARD, f"{path.name} imports {name}"


_STANDARD = {
    "_thread", "argparse", "ast", "collections", "contextvars", "functools", "importlib", "json", "os", "platform",
    "re", "shutil", "site", "sys", "sysconfig", "tempfile", "time", "types", "typing",
}  # fmt: skip
