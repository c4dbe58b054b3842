"""float32 to decimal text and back, exactly: `parse_rows` reads what `format_rows` wrote to the same float32."""

import numpy as np

from .jit import Bytes, Float32s, Int64s, inlined, kernel

MAX_NUMBER_BYTES = 16
"""The most bytes that a number takes with its blank, as in `-0.000123456789 ` or `-1.23456789e+38 `."""

MAX_WORD_BYTES = 10_000
"""The most bytes of a word in a text or binary file: what is longer is damage. word2vec's words have up to 100."""

_DIGITS = 9  # from so many, every float32 can be read back (IEEE 754-2008, 5.12.2)
_MAX_EXPONENT = 330
_POWERS = np.array([float(f"1e{e}") if e < 309 else np.inf for e in range(-_MAX_EXPONENT, _MAX_EXPONENT + 1)])
_TEN = np.array([10**i for i in range(19)], np.int64)
_LOG10_OF_2 = 0.3010299956639812
_LEAST_NORMAL_EXPONENT = -37
_DOUBLE_ERROR = 1e-15  # above the relative error of a product of two rounded doubles

SPACE, NEWLINE, RETURN, TAB = 0x20, 0x0A, 0x0D, 0x09
_ZERO, _MINUS, _PLUS, _POINT, _E = 0x30, 0x2D, 0x2B, 0x2E, 0x65

ROWS_READ, BYTES_READ, PROBLEM = range(3)
"""The places of the counters in the state of `parse_rows` and `parse_binary_rows`."""

FINE, TRUNCATED, BAD_NUMBER, NOT_FINITE, TOO_MANY, BAD_WORD, BAD_END = range(7)
"""What state[PROBLEM] can say."""


@inlined
def _reads_back(mantissa: int, exponent: int, x: np.float32) -> bool:
    """Return whether any reader gets x from mantissa * 10**exponent."""
    value = mantissa * _POWERS[exponent + _MAX_EXPONENT]
    return np.float32(value * (1.0 - _DOUBLE_ERROR)) == x and np.float32(value * (1.0 + _DOUBLE_ERROR)) == x


@inlined
def _write_integer(value: int, n_digits: int, text: Bytes, i: int) -> int:
    for place in range(n_digits - 1, -1, -1):
        text[i + place] = _ZERO + value % 10
        value //= 10
    return i + n_digits


@inlined
def _format_float(x: np.float32, text: Bytes, i: int) -> int:
    """Write x, rounded to the fewest digits that read back to x; return where it ends."""
    if np.signbit(x):
        text[i] = _MINUS
        i += 1
    magnitude = np.float32(abs(x))
    if magnitude == 0:
        text[i] = _ZERO
        return i + 1
    value = np.float64(magnitude)
    # The decimal exponent follows from the binary one, at most one too low; subnormal numbers need the logarithm.
    exponent = int(np.floor((np.float64(magnitude.view(np.uint32) >> 23) - 127.0) * _LOG10_OF_2))
    if exponent < _LEAST_NORMAL_EXPONENT:
        exponent = int(np.floor(np.log10(value)))
    mantissa = int(np.rint(value * _POWERS[_DIGITS - 1 - exponent + _MAX_EXPONENT]))
    if mantissa >= _TEN[_DIGITS]:
        exponent += 1
        mantissa = int(np.rint(value * _POWERS[_DIGITS - 1 - exponent + _MAX_EXPONENT]))
    n_digits = _DIGITS
    while n_digits > 1:
        shorter = (mantissa + 5) // 10
        if not _reads_back(shorter, exponent - n_digits + 2, magnitude):
            break
        n_digits -= 1
        mantissa = shorter
    if mantissa == _TEN[n_digits]:  # 99.9 became 100
        mantissa //= 10
        exponent += 1
    while n_digits > 1 and mantissa % 10 == 0:
        mantissa //= 10
        n_digits -= 1

    if -5 < exponent < 0:
        text[i] = _ZERO
        text[i + 1] = _POINT
        i = _write_integer(0, -1 - exponent, text, i + 2)
        return _write_integer(mantissa, n_digits, text, i)
    if 0 <= exponent < _DIGITS:
        if n_digits <= exponent + 1:
            return _write_integer(mantissa * _TEN[exponent + 1 - n_digits], exponent + 1, text, i)
        n_behind = n_digits - exponent - 1
        i = _write_integer(mantissa // _TEN[n_behind], exponent + 1, text, i)
        text[i] = _POINT
        return _write_integer(mantissa % _TEN[n_behind], n_behind, text, i + 1)
    i = _write_integer(mantissa // _TEN[n_digits - 1], 1, text, i)
    if n_digits > 1:
        text[i] = _POINT
        i = _write_integer(mantissa % _TEN[n_digits - 1], n_digits - 1, text, i + 1)
    text[i] = _E
    text[i + 1] = _MINUS if exponent < 0 else _PLUS
    return _write_integer(abs(exponent), 2, text, i + 2)


@inlined
def _copy_bytes(source: Bytes, start: int, stop: int, text: Bytes, i: int) -> int:
    for place in range(start, stop):
        text[i + place - start] = source[place]
    return i + stop - start


@kernel
def format_rows(words: Bytes, ends: Int64s, vectors: Float32s, text: Bytes) -> int:
    """Write `word x x x` lines; return how many bytes they take.

    words: uint8, the words in UTF-8 with a newline behind each. ends: (n,) int64, where those newlines are. vectors:
    (n, dim) float32, finite. text: uint8, with room for the words and `MAX_NUMBER_BYTES` for each number.
    """
    i = start = 0
    for row in range(vectors.shape[0]):
        i = _copy_bytes(words, start, ends[row], text, i)
        start = ends[row] + 1
        for column in range(vectors.shape[1]):
            text[i] = SPACE
            i = _format_float(vectors[row, column], text, i + 1)
        text[i] = NEWLINE
        i += 1
    return i


@kernel
def format_binary_rows(words: Bytes, ends: Int64s, vectors: Bytes, text: Bytes) -> int:
    """Write word2vec's binary rows: a word, a blank, the bytes of the vector, a newline. vectors: (n, 4 dim) uint8."""
    i = start = 0
    for row in range(vectors.shape[0]):
        i = _copy_bytes(words, start, ends[row], text, i)
        start = ends[row] + 1
        text[i] = SPACE
        i += 1
        for column in range(vectors.shape[1]):
            text[i + column] = vectors[row, column]
        i += vectors.shape[1]
        text[i] = NEWLINE
        i += 1
    return i


@inlined
def _parse_float(text: Bytes, i: int, stop: int) -> tuple[float, int]:
    """Return the number at text[i] and where it ends, which is i where there is no number.

    19 digits are read exactly and further ones dropped. The result is within 3 roundings of a double, which gives the
    nearest float32, except within 1e-15 of the middle between two.
    """
    start = i
    is_negative = i < stop and text[i] == _MINUS
    if i < stop and (text[i] == _MINUS or text[i] == _PLUS):
        i += 1
    mantissa = np.uint64(0)
    exponent = n_read = n_significant = 0
    is_behind_point = False
    while i < stop:
        digit = np.int64(text[i]) - _ZERO
        if 0 <= digit <= 9:
            n_read += 1
            if n_significant < 19:
                mantissa = mantissa * np.uint64(10) + np.uint64(digit)
                n_significant += mantissa > 0
                exponent -= is_behind_point
            else:
                exponent += not is_behind_point
        elif text[i] == _POINT and not is_behind_point:
            is_behind_point = True
        else:
            break
        i += 1
    if n_read == 0:
        return 0.0, start
    if i < stop and (text[i] | 0x20) == _E:
        place = i + 1
        is_small = place < stop and text[place] == _MINUS
        if place < stop and (text[place] == _MINUS or text[place] == _PLUS):
            place += 1
        written = 0
        first_digit = place
        while place < stop and 0 <= np.int64(text[place]) - _ZERO <= 9:
            written = min(written * 10 + np.int64(text[place]) - _ZERO, 10_000)
            place += 1
        if place == first_digit:
            return 0.0, start
        exponent += -written if is_small else written
        i = place
    value = np.float64(mantissa)
    if 0 < -exponent <= 22:
        value /= _POWERS[-exponent + _MAX_EXPONENT]  # both are exact, so there is one rounding
    elif exponent != 0 and mantissa != 0:
        value *= _POWERS[min(max(exponent, -_MAX_EXPONENT), _MAX_EXPONENT) + _MAX_EXPONENT]
    return -value if is_negative else value, i


@inlined
def _is_blank(byte: int) -> bool:
    return byte == SPACE or byte == TAB or byte == RETURN


@kernel
def parse_rows(text: Bytes, vectors: Float32s, word_starts: Int64s, word_stops: Int64s, state: Int64s) -> None:
    """Read `word x x x` lines into vectors, from text[state[BYTES_READ]] and row state[ROWS_READ] on.

    Stops at the end of the text, or at a line that does not fit: state[PROBLEM] then says why, and the other two say
    where. Skips empty lines. word_starts, word_stops: (n,) int64, where each word stands in the text.
    """
    i = state[BYTES_READ]
    stop = text.shape[0]
    n, dim = vectors.shape
    row = state[ROWS_READ]
    problem = FINE
    while problem == FINE:
        while i < stop and (_is_blank(text[i]) or text[i] == NEWLINE):
            i += 1
        if i >= stop:
            break
        if row == n:
            problem = TOO_MANY
            break
        start = word_starts[row] = i
        longest = min(stop, start + MAX_WORD_BYTES + 1)
        while i < longest and text[i] != SPACE and text[i] != TAB and text[i] != NEWLINE:
            i += 1
        word_stops[row] = i
        if i - start > MAX_WORD_BYTES:
            problem = BAD_WORD
            i = start
            break
        for column in range(dim):
            while i < stop and _is_blank(text[i]):
                i += 1
            value, end = _parse_float(text, i, stop)
            if end == i or (end < stop and not (_is_blank(text[end]) or text[end] == NEWLINE)):
                problem = TRUNCATED if i >= stop or text[i] == NEWLINE else BAD_NUMBER
                break
            number = np.float32(value)
            if not np.isfinite(number):
                problem = NOT_FINITE
                break
            vectors[row, column] = number
            i = end
        if problem == FINE:
            while i < stop and _is_blank(text[i]):
                i += 1
            if i < stop and text[i] != NEWLINE:
                problem = BAD_NUMBER
            else:
                row += 1
    state[ROWS_READ] = row
    state[BYTES_READ] = i
    state[PROBLEM] = problem


@kernel
def parse_binary_rows(data: Bytes, vectors: Bytes, word_starts: Int64s, word_stops: Int64s, state: Int64s) -> None:
    """Read word2vec's binary rows into vectors, (n, 4 dim) uint8, as `parse_rows` does.

    As the first row, each must have a newline behind it, or none; only at the end of the data one may follow none.
    """
    i = state[BYTES_READ]
    stop = data.shape[0]
    n, n_bytes = vectors.shape
    first = state[ROWS_READ]
    has_newlines = False
    problem = FINE
    for row in range(first, n):
        start = word_starts[row] = i
        longest = min(stop, start + MAX_WORD_BYTES + 1)
        while i < longest and data[i] != SPACE and data[i] != NEWLINE and data[i] != TAB and data[i] != RETURN:
            i += 1
        word_stops[row] = i
        if i - start > MAX_WORD_BYTES or (i < stop and data[i] != SPACE):
            problem = BAD_WORD
            i = start
            break
        i += 1
        if i + n_bytes > stop:
            problem = TRUNCATED
            break
        for column in range(n_bytes):
            vectors[row, column] = data[i + column]
        i += n_bytes
        has_newline = i < stop and data[i] == NEWLINE
        has_newlines |= row == first and has_newline
        if has_newline != has_newlines and not (has_newline and i + 1 == stop):
            problem = BAD_END
            break
        i += has_newline
        state[ROWS_READ] = row + 1
    if problem == FINE and i < stop:
        problem = TOO_MANY
    state[BYTES_READ] = i
    state[PROBLEM] = problem
