"""Install an engine from PyPI and make its tiny model for chats, once, into the cache that clones share.

install.py NAME    what is there already stays; an installation that was cut short starts over
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine import glibcxx
from engine.model import chat_kind, make
from engine.recipe import HERE, RECIPES, Recipe, Repair, cache, home, python, tcmalloc

UV = "uv==0.13.9"
"""pip takes minutes where uv takes seconds."""
STAMP = "installed.stamp"


def install(recipe: Recipe) -> None:
    """Install it, unless this very recipe was installed to its end."""
    directory = home(recipe)
    stamp = directory / STAMP
    if stamp.is_file() and stamp.read_text() == recipe.fingerprint:
        return
    if recipe.base:
        install(RECIPES[recipe.base])
    print(f"install {recipe.name} into {directory}", flush=True)
    if directory.exists():
        shutil.rmtree(directory)
    if recipe.base:
        _uv("--python", str(python(recipe)), "--target", str(directory), "-r", str(recipe.lock))
    else:
        venv.create(directory, symlinks=True)
        _uv("--python", str(python(recipe)), "-r", str(recipe.lock))
    for repair in sorted(recipe.repairs, key=lambda one: one.name):
        _repair(recipe, repair)
    stamp.write_text(recipe.fingerprint)


def _uv(*arguments: str) -> None:
    """`uv pip install` of what a lock file names and nothing else, so that no resolver can change its mind."""
    tools = cache() / "uv"
    uv = tools / "bin" / "uv"
    if not uv.is_file():
        venv.create(tools, symlinks=True, with_pip=True)
        subprocess.run(
            [tools / "bin/python", "-m", "pip", "-q", "--disable-pip-version-check", "install", UV], check=True
        )
    subprocess.run([uv, "pip", "install", "--no-deps", *arguments], check=True)


def site_packages(recipe: Recipe) -> Path:
    """Where its packages are."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(home(recipe))}))


def _repair(recipe: Recipe, repair: Repair) -> None:
    site = site_packages(recipe)
    match repair:
        case Repair.VLLM_DIST_INFO:
            # "+cpu" selects the platform: without it the engine takes another one, and dies by SIGILL.
            directory = site / f"vllm-{recipe.version}.dist-info"
            directory.mkdir()
            (directory / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {recipe.version}+cpu\n")
            (directory / "RECORD").write_text("")
        case Repair.WEAK_GLIBCXX:
            glibcxx.make_weak(site / "vllm" / "_C.abi3.so")
        case Repair.TCMALLOC_STUB:
            library = tcmalloc(recipe)
            subprocess.run(["gcc", "-shared", "-o", library, "-x", "c", os.devnull], check=True)
        case Repair.CUDA_STUBS:
            subprocess.run([python(recipe), HERE / "cuda_stub.py"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    recipe = RECIPES[parser.parse_args().name]
    install(recipe)
    make(recipe, chat_kind(recipe.line))


if __name__ == "__main__":
    main()
