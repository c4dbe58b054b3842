"""`python -m fastw2v`."""

from .cli import main

main()
