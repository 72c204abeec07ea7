"""Tachograph's half inside the engine's process: hooks, probe and launch commands.

What an operator uses are the commands `tachograph-instrument` and `tachograph-bootstrap`. Nothing here is an API for
programs. The package needs no other package, and importing it does nothing.
"""

__version__ = "0.1.0"
