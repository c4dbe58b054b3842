"""Compiled loops: arrays and scalars in, arrays changed in place. The only package that imports Numba."""
