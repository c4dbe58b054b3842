"""Environment variables with which Numba cannot be imported. The others are in test_jit.py."""

import pytest

from fastw2v.kernels.environment import UnusableNumba, check_environment


def test_numbers_of_threads(monkeypatch):
    for good in ("1", "64", "many"):  # Numba ignores what is no number
        monkeypatch.setenv("NUMBA_NUM_THREADS", good)
        check_environment()
    monkeypatch.delenv("NUMBA_NUM_THREADS")
    check_environment()
    for bad in ("0", "-1"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", bad)
        with pytest.raises(UnusableNumba, match=f"NUMBA_NUM_THREADS is {bad}: it must be at least 1; unset it"):
            check_environment()
