"""The program: `fastw2v` and `python -m fastw2v`."""

import gc
import signal


def main() -> None:
    """Load the command line and run a command. Ctrl-C meanwhile ends the process without Python's traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Nearly all of Numba's objects live as long as the process: looking for garbage among them would take 0.3 s.
    gc.set_threshold(100_000)
    from . import cli

    try:
        cli.main()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
