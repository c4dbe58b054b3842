"""Names of NumPy 1 that NumPy 2 does not have, for packages that have not moved on yet."""

import numpy as np

REMOVED = {"bool8": bool, "object0": object, "int0": int, "uint0": int, "void0": bytes, "str0": str, "bytes0": bytes}
REMOVED |= {"unicode_": str, "string_": bytes, "float_": float, "complex_": complex, "longcomplex": complex}
REMOVED |= {"singlecomplex": complex, "cfloat": complex, "clongfloat": complex, "longfloat": float}


def restore_names() -> None:
    """Let NumPy have these names again, in this process."""
    for name, kind in REMOVED.items():
        if not hasattr(np, name):
            setattr(np, name, kind)
