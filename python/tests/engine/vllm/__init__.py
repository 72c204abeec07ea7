"""Stands for vLLM 0.32: the functions that we wrap, with their signatures, around scripted behaviour."""

__version__ = "0.32.0"
