"""How an engine is started with a tiny model on a small machine: its command line and its environment.

command.py NAME --port PORT [FLAG …]    prints them as JSON, for who does not speak Python
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.model import chat_kind, make, make_with
from engine.recipe import CONTEXT, HERE, MODEL_NAME, RECIPES, Line, Recipe, Repair, cache, home, python, tcmalloc


@dataclass(frozen=True)
class Command:
    """What starts an engine."""

    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)


VLLM_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
SGLANG_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "SGLANG_USE_CPU_ENGINE": "1",
    "SGLANG_CPU_OMP_THREADS_BIND": "0-1",
    "OMP_NUM_THREADS": "1",
    "TORCHDYNAMO_DISABLE": "1",
}
SGLANG_FLAGS = [
    *("--load-format", "dummy", "--device", "cpu", "--dtype", "float32", "--attention-backend", "torch_native"),
    *("--sampling-backend", "pytorch", "--grammar-backend", "none", "--disable-cuda-graph"),
    *("--disable-overlap-schedule", "--max-total-tokens", "16384", "--max-running-requests", "32"),
    *("--mem-fraction-static", "0.1"),
]
"""SGLang on a CPU without AVX-512; dummy weights, for a tiny model's are random anyway."""


def serve(recipe: Recipe, model: Path, port: int, flags: tuple[str, ...] = ()) -> Command:
    """The engine as a server on loopback."""
    address = ["--host", "127.0.0.1", "--port", str(port)]
    if recipe.line is Line.SGLANG:
        program = [str(python(recipe)), "-m", "sglang.launch_server", "--model-path", str(model), *SGLANG_FLAGS]
        # Without it a scheduler with nothing to do uses a whole core.
        program += ["--sleep-on-idle", "--context-length", str(CONTEXT)]
    else:
        program = [str(home(recipe) / "bin" / "vllm"), "serve", str(model), "--max-model-len", str(context(model))]
    program += ["--served-model-name", MODEL_NAME, *address, *recipe.flags, *flags]
    return Command(program, environment(recipe))


def context(model: Path) -> int:
    """Longest sequence that a tiny model is served with: BERT's are shorter than the others."""
    config = json.loads((model / "config.json").read_text())
    return min(CONTEXT, int(config["max_position_embeddings"]))


def offline(recipe: Recipe, model: Path) -> Command:
    """A program that uses the engine as a library; vLLM's only."""
    return Command([str(python(recipe)), str(HERE / "offline.py"), str(model)], environment(recipe))


def environment(recipe: Recipe) -> dict[str, str]:
    """What every process of the engine needs in its environment."""
    if recipe.line is not Line.SGLANG:
        preload = {}
        if Repair.TCMALLOC_STUB in recipe.repairs:
            library = tcmalloc(recipe)
            preload["LD_PRELOAD"] = f"{library}:{library.with_name('libiomp5.so')}"
        return VLLM_ENVIRONMENT | recipe.environment | preload
    places = [str(HERE / "shim")]
    if recipe.base:
        places.insert(0, str(home(recipe)))
    if users := os.environ.get("PYTHONPATH"):
        places.append(users)
    return SGLANG_ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(places)} | recipe.environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--program", type=Path, help="a vllm of the user's own, in the place of the one of the recipe")
    args, flags = parser.parse_known_args()
    recipe = RECIPES[args.name]
    kind = chat_kind(recipe.line)
    model = (
        make_with(args.program.parent / "python", cache() / "models/own", kind) if args.program else make(recipe, kind)
    )
    command = serve(recipe, model, args.port, tuple(flags))
    if args.program:
        command.arguments[0] = str(args.program)
    print(json.dumps({"arguments": command.arguments, "environment": command.environment, "model": str(model)}))


if __name__ == "__main__":
    main()
