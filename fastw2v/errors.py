"""The exceptions that fastw2v raises on purpose.

Fastw2vError
 ├── InputError          the request or its input cannot be used
 │    ├── CutOff         a file ends before what its beginning announces; this is also an EOFError
 │    ├── MissingExtra   an optional package is not installed
 │    └── UnknownWord    a word has no vector; this is also a KeyError
 └── RunError            the work itself failed
      ├── DivergedError  a parameter became NaN or infinite
      └── ReaderLeft     the reader of a pipe ended before everything was written
"""

from typing import Any


class Fastw2vError(Exception):
    """The base of all exceptions that fastw2v raises on purpose. Its message is one line for the user."""


class InputError(Fastw2vError, ValueError):
    """The request or its input cannot be used. The message says what was found, what is allowed, and what to do.

    Most are raised before any work, and some only after text has been read.
    """


class CutOff(InputError, EOFError):
    """A file ends before what its beginning announces."""


class MissingExtra(InputError):
    """An optional package is needed and not installed. The message has the pip command.

    what: what needs the package.
    package: its name for pip.
    """

    def __init__(self, what: str, package: str) -> None:
        super().__init__(f"{what} needs the package {package}: pip install {package!r}")
        self._parts = what, package

    def __reduce__(self) -> tuple[Any, ...]:  # to cross a process pool
        return type(self), self._parts


_KNOWN_SEARCHED = 50_000
"""How many of the most frequent words are searched for similar spellings, which is slow."""


class UnknownWord(InputError, KeyError):
    """A word has no vector. The message suggests similar spellings, which are searched only when it is read.

    word: the word.
    """

    def __init__(self, word: object, known: list[str]) -> None:
        super().__init__(word)
        self.word = word
        self._known = known

    def __reduce__(self) -> tuple[Any, ...]:  # to cross a process pool
        return type(self), (self.word, self._known)

    def __str__(self) -> str:
        import difflib

        word, known = str(self.word), [other for other in self._known[:_KNOWN_SEARCHED] if isinstance(other, str)]
        in_other_case = [other for other in known if other.lower() == word.lower()]
        close = [*in_other_case, *difflib.get_close_matches(word, known, 3)]
        similar = ", ".join(list(dict.fromkeys(close))[:3])
        return f"the word {word!r} has no vector" + (f"; similarly spelled words are {similar}" if close else "")


class RunError(Fastw2vError, RuntimeError):
    """The work failed after it had begun. No output file is left half-written.

    model: the `TrainedModel`, if it was trained and only something after that failed, such as writing it; else None.
    """

    model: Any = None

    @property
    def vectors(self) -> Any:
        """The `Vectors` of `model`, or None."""
        return None if self.model is None else self.model.vectors()


class DivergedError(RunError):
    """A parameter of the model became NaN or infinite."""


class ReaderLeft(RunError):
    """The reader of a pipe closed it before everything was written.

    path: the pipe, or `-` for stdout.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"cannot write {self.path}: its reader closed it before everything was written"


def text_of(error: Exception) -> str:
    """Return the message of an exception, or a few words of our own if it has none, as a MemoryError."""
    return str(error) or ("out of memory" if isinstance(error, MemoryError) else type(error).__name__)
