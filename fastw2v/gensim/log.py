"""The logger of all modules here."""

import logging

logger = logging.getLogger("fastw2v")
