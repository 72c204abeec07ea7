"""Make `import torch` work without a GPU's packages: PyPI's torch for Linux is linked against several GB of CUDA.

cuda_stub.py, run by the environment's own interpreter; needs gcc, nm and readelf. For each CUDA library that torch asks
for and that is not there, a tiny one is built where torch looks for it. It has every symbol that torch needs, under the
version that torch needs it in; each returns "no device", so that `torch.cuda.is_available()` is false.
"""

import re
import subprocess
import sysconfig
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

CUDA_LIBRARY = re.compile(r"^lib(cu|nv|nccl)")
CUDA_SYMBOL = re.compile(r"^(cu|nccl|nv|__cuda|CU)\w+$")
NO_DEVICE = 100
"""cudaErrorNoDevice."""
SPECIAL = {
    "cudaGetDeviceCount": f"int cudaGetDeviceCount(int *n) {{ if (n) *n = 0; return {NO_DEVICE}; }}",
    "cudaGetErrorString": 'const char *cudaGetErrorString(int e) { return "no CUDA device (stub)"; }',
    "cudaGetErrorName": 'const char *cudaGetErrorName(int e) { return "cudaErrorNoDevice"; }',
    "cudaGetLastError": "int cudaGetLastError(void) { return 0; }",
    "cudaPeekAtLastError": "int cudaPeekAtLastError(void) { return 0; }",
    "__cudaRegisterFatBinary": "static void *h[8]; void **__cudaRegisterFatBinary(void *p) { return h; }",
}
"""What torch calls at import, and what it does with the answer."""


@dataclass
class Wanted:
    """What a set of libraries asks of others."""

    sonames: set[str] = field(default_factory=set)
    versions: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Versions asked of each soname: glibc stops a program whose library lacks one that it is asked for."""
    symbols: dict[str, str] = field(default_factory=dict)
    """Undefined symbols and their version, empty for none."""
    defined: set[str] = field(default_factory=set)


def output(*command: str | Path) -> list[str]:
    """Lines that a program prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def wanted_by(libraries: list[Path]) -> Wanted:
    """What they ask for."""
    wanted = Wanted()
    for library in libraries:
        wanted.sonames |= {found[1] for line in output("readelf", "-d", library) if (found := _NEEDED.search(line))}
        for line in output("nm", "-D", library):
            kind, symbol = line.split()[-2:]
            name, _, version = symbol.partition("@")
            if kind == "U":
                wanted.symbols[name] = version.strip("@")
            else:
                wanted.defined.add(name)
        _versions(library, wanted)
    return wanted


_NEEDED = re.compile(r"NEEDED.*\[(.+?)\]")
_FILE = re.compile(r"File: (\S+)")
_NAME = re.compile(r"Name: (\S+)\s+Flags")


def _versions(library: Path, wanted: Wanted) -> None:
    current = ""
    for line in output("readelf", "-VW", library):
        if found := _FILE.search(line):
            current = found[1]
        elif "Version definition" in line:
            current = ""
        elif current and (found := _NAME.search(line)):
            wanted.versions[current].add(found[1])


def build(soname: str, symbols: dict[str, str], versions: set[str], directory: Path) -> None:
    """One stub library with `symbols`, each in its version."""
    source, script = directory / "stub.c", directory / "stub.map"
    lines = [SPECIAL.get(name, f"long {name}(void) {{ return {NO_DEVICE}; }}") for name in symbols]
    source.write_text("\n".join([*lines, ""]))
    command: list[str | Path] = ["gcc", "-w", "-fno-builtin", "-shared", "-fPIC", "-O1", f"-Wl,-soname,{soname}"]
    if versions:
        nodes = []
        for version in sorted(versions):
            members = "".join(f" {name};" for name, its_version in symbols.items() if its_version == version)
            nodes.append(f"{version} {{{f' global:{members}' if members else ''} }};\n")
        script.write_text("".join(nodes))
        command.append(f"-Wl,--version-script={script}")
    subprocess.run([*command, "-o", directory / soname, source], check=True)
    source.unlink()
    script.unlink(missing_ok=True)


def main() -> None:
    site = Path(sysconfig.get_path("purelib"))
    torch = site / "torch" / "lib"
    libraries = sorted(torch.glob("*.so*"))
    # Where torch looks: one folder for all of CUDA since 2.11, one for each of its packages before.
    together = any("nvidia/cu13" in line for line in output("readelf", "-d", torch / "libc10_cuda.so"))
    directory = site / ("nvidia/cu13/lib" if together else "nvidia/cuda_runtime/lib")
    directory.mkdir(parents=True, exist_ok=True)
    wanted = wanted_by(libraries)
    present = {library.name for library in libraries}
    missing = {
        name: version
        for name, version in wanted.symbols.items()
        if name not in wanted.defined and CUDA_SYMBOL.match(name)
    }
    sonames = sorted(name for name in wanted.sonames if CUDA_LIBRARY.match(name) and name not in present)
    for soname in sonames:
        versions = wanted.versions[soname]
        symbols = {name: version for name, version in missing.items() if version and version in versions}
        if soname.startswith("libcudart"):  # Loaded first and by all: it has the symbols without a version.
            symbols |= {name: "" for name, version in missing.items() if not version}
        build(soname, symbols, versions, directory)
    print(f"{len(missing)} symbols in {len(sonames)} stub libraries in {directory}")


if __name__ == "__main__":
    main()
