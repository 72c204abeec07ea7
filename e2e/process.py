"""The processes of a test: started, watched, killed, and never left behind."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from engine.command import Command, serve
from engine.recipe import DEFAULT, RECIPES

ENGINE_START_S = 600
"""A cold vLLM imports for minutes on two cores."""
SERVER_START_S = 30
STOP_S = 30


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def processes() -> dict[int, tuple[int, str]]:
    """Parent and command line of every process."""
    found: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
            if stat[stat.rindex(")") + 2] != "Z":
                found[int(entry.name)] = (int(stat[stat.rindex(")") + 2 :].split()[1]), line)
    return found


def descendants(root: int) -> dict[int, str]:
    """Command lines of a process's children, and theirs."""
    all_of_them = processes()
    found: dict[int, str] = {}
    todo = [root]
    while todo:
        parent = todo.pop()
        for pid, (its_parent, line) in all_of_them.items():
            if its_parent == parent and pid not in found:
                found[pid] = line
                todo.append(pid)
    return found


def memory_mb(pid: int) -> float:
    """Resident memory of a process in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(kilobytes) / 1000


class Process:
    """One process with its log."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.child: subprocess.Popen[bytes] | None = None

    def spawn(self, command: list[str], environment: dict[str, str]) -> None:
        """Start it in a session of its own."""
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.child is not None, "not started"
        return self.child.pid

    def wait_until(self, url: str, seconds: float) -> None:
        """Wait until it answers; fail with the end of its log."""
        until = time.monotonic() + seconds
        while not answers(url):
            assert self.child is not None
            code = self.child.poll()
            if code is not None or time.monotonic() > until:
                why = f"ended with {code}" if code is not None else f"does not answer within {seconds} s"
                raise AssertionError(f"{self.child.args!r} {why}:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.2)

    def kill(self) -> None:
        """kill -9, and wait."""
        assert self.child is not None
        self.child.kill()
        self.child.wait()

    def stop(self) -> int | None:
        """SIGTERM, then SIGKILL for the whole session; the exit code."""
        if self.child is None:
            return None
        self.child.terminate()
        try:
            code = self.child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            code = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        self.child = None
        return code


class Server(Process):
    """`tachograph serve`."""

    def __init__(self, agent: Path, data: Path, log: Path) -> None:
        super().__init__(log)
        self.agent, self.data = agent, data
        self.ports = [free_port() for _ in range(3)]
        self.grpc = f"http://127.0.0.1:{self.ports[0]}"
        self.http = f"http://127.0.0.1:{self.ports[1]}"
        self.api = f"http://127.0.0.1:{self.ports[2]}"

    def start(self) -> None:
        """Start it, or start it again on the same ports and data, and wait."""
        flags = ("--grpc-addr", "--http-addr", "--addr")
        command = [str(self.agent / "tachograph"), "serve", "--data-dir", str(self.data)]
        for flag, port in zip(flags, self.ports, strict=True):
            command += [flag, f"127.0.0.1:{port}"]
        self.spawn(command, {})
        self.wait_until(f"{self.api}/healthz", SERVER_START_S)


class EngineProcess(Process):
    """An engine that serves on `port`; under the agent where `agent` is given."""

    def __init__(
        self,
        command: Command,
        port: int,
        log: Path,
        agent: Path | None = None,
        endpoint: str = "",
        settings: dict[str, str] | None = None,
    ) -> None:
        super().__init__(log)
        self.command, self.port, self.agent = command, port, agent
        self.settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            **(settings or {}),
        }

    def start(self) -> None:
        """Start it; it takes a while to be ready."""
        if self.agent:
            launcher = str(self.agent / "tachograph-instrument")
            self.spawn([launcher, *self.command.arguments], self.command.environment | self.settings)
        else:
            self.spawn(self.command.arguments, self.command.environment)

    def wait_ready(self) -> None:
        """Wait until it serves."""
        self.wait_until(f"http://127.0.0.1:{self.port}/health", ENGINE_START_S)

    def one(self, what: str) -> int:
        """The one child process whose command line contains `what`."""
        found = [pid for pid, line in descendants(self.pid).items() if what in line]
        assert len(found) == 1, f"{what}: {found} of {descendants(self.pid)}"
        return found[0]

    @property
    def recorder(self) -> int:
        """The recorder's process."""
        return self.one(" record --dir ")

    @property
    def api_server(self) -> int:
        """The engine's own first process: the API server."""
        children = {pid: line for pid, (parent, line) in processes().items() if parent == self.pid}
        found = [pid for pid, line in children.items() if " record --dir " not in line]
        assert len(found) == 1, children
        return found[0]


class Engine(EngineProcess):
    """A real vLLM with a tiny model; under the agent where `agent` is given."""

    def __init__(
        self,
        vllm: Path,
        model: Path,
        log: Path,
        agent: Path | None = None,
        endpoint: str = "",
        settings: dict[str, str] | None = None,
    ) -> None:
        port = free_port()
        command = serve(RECIPES[DEFAULT], model, port)
        command.arguments[0] = str(vllm)
        super().__init__(command, port, log, agent, endpoint, settings)
