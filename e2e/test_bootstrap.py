"""The documented commands in a fresh environment, exactly as a user types them."""

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from client import send
from conftest import place
from engine.command import serve
from engine.install import install
from engine.model import chat_kind, make
from engine.recipe import DEFAULT, RECIPES, Recipe, python
from process import EngineProcess, free_port
from sink import Sink, attributes

DOCUMENTED = (
    "tachograph-bootstrap -a install"
    " && ARMS_APP_NAME=a ARMS_LICENSE_KEY=k ARMS_REGION_ID=r tachograph-instrument {command}"
)
ARRIVAL_S = 15
CHAT = "/v1/chat/completions"


class Fresh(EngineProcess):
    """A virtual environment with nothing but our wheel, which sees the packages of an engine."""

    def __init__(self, recipe: Recipe, interpreter: Path, model: Path, directory: Path, log: Path) -> None:
        self.directory = directory
        subprocess.run([str(interpreter), "-m", "venv", str(directory)], check=True)
        (wheel,) = place("WHEELS").glob("tachograph-*.whl")
        self.run("pip", "install", "--quiet", "--no-index", str(wheel))
        (site,) = directory.glob("lib/python3*/site-packages")
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        engine = subprocess.run([str(interpreter), "-c", where], check=True, capture_output=True, text=True).stdout
        (site / "engine.pth").write_text(engine)
        program = interpreter.with_name("vllm")
        if program.exists():
            script = program.read_text().split("\n", 1)[1]
            (directory / "bin" / "vllm").write_text(f"#!{directory}/bin/python\n{script}")
            (directory / "bin" / "vllm").chmod(0o755)
        command = serve(recipe, model, free_port())
        super().__init__(command, int(command.arguments[command.arguments.index("--port") + 1]), log)
        self.settings = {"PATH": self.path}

    @property
    def path(self) -> str:
        """PATH as `source bin/activate` makes it."""
        return f"{self.directory / 'bin'}:{os.environ['PATH']}"

    def start(self) -> None:
        """Type the documented line into a shell."""
        program, *arguments = self.command.arguments
        line = DOCUMENTED.format(command=" ".join([Path(program).name, *arguments]))
        self.spawn(["bash", "-c", line], self.command.environment | self.settings)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the environment."""
        environment = {**os.environ, "PATH": self.path}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done
        return done

    def hashes(self) -> dict[str, str]:
        """Every file of the environment."""
        files = [path for path in self.directory.rglob("*") if path.is_file() and not path.is_symlink()]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def sink(sink_port: int) -> Iterator[Sink]:
    """A collector of somebody else."""
    sink = Sink(sink_port)
    yield sink
    sink.stop()


@pytest.fixture(params=[DEFAULT, "sglang-0.5.23"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path, artifacts: Path) -> Fresh:
    """The environment of an engine of each kind."""
    recipe = RECIPES[request.param]
    log = artifacts / f"{recipe.name}-fresh.log"
    if recipe.name == DEFAULT:
        return Fresh(recipe, place("VLLM").with_name("python"), place("MODEL"), tmp_path / "venv", log)
    install(recipe)
    return Fresh(recipe, python(recipe), make(recipe, chat_kind(recipe.line)), tmp_path / "venv", log)


def test_the_documented_line_works_in_a_fresh_environment_which_is_afterwards_as_it_was(
    fresh: Fresh, sink: Sink, sink_port: int
) -> None:
    fresh.settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{sink_port}"
    before = fresh.hashes()
    assert fresh.run("tachograph-bootstrap", "-a", "requirements").stdout == ""
    said = fresh.run("tachograph-bootstrap", "-a", "install").stdout
    assert " 0 missing, " in said, said
    fresh.start()
    try:
        fresh.wait_ready()
        body = {"model": "tiny", "messages": [{"role": "user", "content": "kato"}], "max_tokens": 4}
        sent = send("127.0.0.1", fresh.port, "chat", CHAT, body)
        assert sent.status == 200
        until = time.monotonic() + ARRIVAL_S
        while not (found := [one for one in sink.spans() if one[2].trace_id.hex() == sent.trace_id]):
            assert time.monotonic() < until, "no span arrived"
            time.sleep(0.1)
        resource = attributes(found[0][0].attributes)
        assert (resource["service.name"], resource["cloud.region"]) == ("a", "r")
        assert sink.headers["authorization"] == "Bearer k"
    finally:
        assert fresh.child is not None
        os.killpg(fresh.child.pid, signal.SIGTERM)
        fresh.stop()
    fresh.run("tachograph-bootstrap", "-a", "uninstall")
    assert fresh.hashes() == before
