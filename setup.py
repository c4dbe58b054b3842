"""The description for PyPI: the README, whose links lead to the repository. Everything else is in setup.cfg."""

import re
from pathlib import Path

from setuptools import setup

REPOSITORY = "https://github.com/fastw2v/fastw2v/blob/main/"

readme = Path(__file__).with_name("README.md").read_text("utf-8")

setup(
    long_description=re.sub(r"\]\((?!https?:|#)", f"]({REPOSITORY}", readme),
    long_description_content_type="text/markdown",
)
