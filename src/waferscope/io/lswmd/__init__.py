"""The public WM-811K file, LSWMD.pkl: a pickled frame, read without pickle and without pandas."""

from waferscope.io.lswmd.read import is_lswmd, read_lswmd

__all__ = ["is_lswmd", "read_lswmd"]
