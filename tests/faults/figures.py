"""How much is attacked, and the figures of it: FAULTS=0.05 pytest -m faults attacks a twentieth."""

import json
import os
from pathlib import Path

AMOUNT = float(os.environ.get("FAULTS", "1"))
REPORT = os.environ.get("FAULTS_REPORT")


def amount(n, least=1):
    """How many of n attacks are made."""
    return max(least, round(n * AMOUNT))


def some(attacks):
    """A spread of the attacks."""
    attacks = list(attacks)
    n = amount(len(attacks))
    return [attacks[i * len(attacks) // n] for i in range(n)]


def report(name, **figures):
    """Print the figures, and add them to the file that FAULTS_REPORT names."""
    print(f"\n{name}: " + ", ".join(f"{key} {value}" for key, value in figures.items()))
    if REPORT:
        path = Path(REPORT)
        earlier = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**earlier, name: figures}, indent=1) + "\n")
