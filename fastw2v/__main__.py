"""The program: `fastw2v` and `python -m fastw2v`."""

import signal


def main() -> None:
    """Load the command line and run a command. Ctrl-C meanwhile ends the process without Python's traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from . import cli

    cli.main()


if __name__ == "__main__":
    main()
