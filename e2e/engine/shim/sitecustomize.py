"""Lets a real SGLang run without a GPU and without AVX-512: answers for the packages of GPU kernels, and no more.

It stands on the PYTHONPATH of every process of SGLang, whose scheduler and detokenizer are spawned. HTTP server,
tokenizer manager, scheduler, radix cache, detokenizer and the `torch_native` attention stay SGLang's own: without AMX
their layers take the plain torch path.
"""

import importlib
import importlib.abc
import importlib.machinery
import os
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

FAKED = tuple(os.environ.get("CPU_SHIM_FAKE", "sgl_kernel,triton").split(","))
"""Packages that are answered for; an older SGLang asks for one more."""


class Nothing:
    """Whatever is asked of it: callable, subscriptable, transparent as a decorator."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        # `@triton.jit` must hand the function back, `@triton.autotune(...)` a decorator.
        if len(arguments) == 1 and not named and callable(arguments[0]) and not isinstance(arguments[0], Nothing):
            return arguments[0]
        return Nothing()

    def __getattr__(self, name: str) -> "Nothing":
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()

    def __getitem__(self, _: Any) -> "Nothing":
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __or__(self, _: Any) -> "Nothing":
        return self

    __ror__ = __or__

    def __mro_entries__(self, _: Any) -> tuple[type, ...]:
        return (object,)


class NoDriver:
    """Triton's driver. SGLang takes the CPU when asking for the active one raises."""

    @property
    def active(self) -> None:
        """There is none."""
        raise RuntimeError("0 active drivers")


class FakeModule(types.ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)
        if name == "__version__":
            return "99.0.0"
        value = type(name, (), {"__init__": lambda *_, **__: None}) if name[:1].isupper() else Nothing()
        setattr(self, name, value)
        return value


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the faked packages before anyone else does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A package of nothing, for the faked ones."""
        if fullname.split(".")[0] in FAKED:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """The module itself."""
        module = FakeModule(spec.name)
        module.__path__ = []
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """The few things that are called and not only named."""
        if module.__name__ == "triton":
            module.__dict__.update(
                cdiv=lambda a, b: -(-a // b),
                next_power_of_2=lambda n: 1 << max(0, n - 1).bit_length(),
                __version__="3.5.0",
                runtime=importlib.import_module("triton.runtime"),
            )
        elif module.__name__ == "triton.runtime":
            module.__dict__["driver"] = NoDriver()
        elif module.__name__ == "sgl_kernel":
            module.__dict__["copy_all_layer_kv_cache_cpu"] = copy_all_layer_kv_cache_cpu


def copy_all_layer_kv_cache_cpu(keys: Any, values: Any, target: Any, source: Any, *_: Any, **__: Any) -> None:
    """The one kernel that the CPU path calls without asking, in plain torch."""
    for buffer in (*keys, *values):
        buffer[target] = buffer[source]


if os.environ.get("SGLANG_USE_CPU_ENGINE") == "1":
    sys.meta_path.insert(0, Finder())
