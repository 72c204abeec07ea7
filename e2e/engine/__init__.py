"""Engines as data: how each version is installed, started, and what its processes are called."""
