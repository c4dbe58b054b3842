"""A vector of `LANES` float32 inside Numba, and the few operations on it that the kernels need.

Memory is given as (array, element offset), never as a raw address: Numba frees an array after the last use of
`.ctypes.data`. A *tile* is a small block of dot products or rows that registers hold at once. Operations on a tile take
and return homogeneous tuples: their lengths give the tile its shape, and LLVM turns them into registers. A vector can
neither be returned to Python nor cross a `prange`.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_untracked
from numba.core.registry import cpu_target
from numba.extending import intrinsic, models, register_model
from numba.np.arrayobj import make_array


def _slots(n_outputs: int) -> int:
    """Return the floats in memory for one context and this many output rows: a power of two."""
    return 4 if n_outputs <= 4 else 8


def _lanes() -> int:
    """Return the float32 lanes of the CPU that Numba compiles for (the kernel cache has its features in its key)."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    if "+avx512f" in features.split(","):
        return 16
    if "+avx2" in features.split(",") or "aarch64" in triple or "arm64" in triple:
        return 8  # on NEON two of its 32 registers of 128 bits
    return 4


LANES = _lanes()

HAS_32_REGISTERS = LANES == 16
"""Whether the CPU has 32 registers of `LANES` lanes. (NEON's 32 are half as wide.)"""


class Float32Vector(types.Type):  # type: ignore[misc]
    """The Numba type of a vector, whose values live in SIMD registers."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


vector = Float32Vector()
_llvm_vector = ir.VectorType(ir.FloatType(), LANES)
_llvm_integers = ir.VectorType(ir.IntType(32), LANES)
_int64 = ir.IntType(64)


@register_model(Float32Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _llvm_vector)


def pointer_of(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, to: Any = _llvm_vector) -> Any:
    data = make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), to.as_pointer())


def _load(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    loaded = builder.load(pointer_of(context, builder, array_type, array, offset))
    loaded.align = 4
    return loaded


def _store(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, value: Any) -> None:
    builder.store(value, pointer_of(context, builder, array_type, array, offset, value.type)).align = 4


def _call(builder: Any, name: str, *operands: Any) -> Any:
    kind = ir.FunctionType(_llvm_vector, [_llvm_vector] * len(operands))
    function = cgutils.get_or_insert_function(builder.module, kind, f"{name}.v{LANES}f32")
    return builder.call(function, operands)


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    # On a CPU without FMA, llvm.fma would become a library call for each lane.
    return _call(builder, "llvm.fmuladd", a, b, c)


def broadcast(builder: Any, scalar: Any, lanes: int = LANES) -> Any:
    """A vector of LLVM with the scalar in each lane."""
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.IntType(32)(0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))


def _constant(value: float) -> Any:
    return ir.Constant(_llvm_vector, [value] * LANES)


def _unpack(builder: Any, values: Any, n_values: int) -> list[Any]:
    return [builder.extract_value(values, i) for i in range(n_values)]


# One vector at a time


@intrinsic
def load(typing_context: Any, array: Any, offset: Any) -> Any:
    """Return `array.flat[offset : offset + LANES]`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load(context, builder, signature.args[0], args[0], args[1])

    return vector(array, types.intp), generate


@intrinsic
def store(typing_context: Any, array: Any, offset: Any, value: Any) -> Any:
    """Set `array.flat[offset : offset + LANES]` to `value`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _store(context, builder, signature.args[0], *args)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def slots(typing_context: Any, shape: Any) -> Any:
    """Return the number of floats in memory for one context and a tile: one for each output row, then zeros."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(types.intp, _slots(shape.count))

    return types.intp(shape), generate


@intrinsic
def load_slots(typing_context: Any, array: Any, offset: Any, shape: Any) -> Any:
    """Return `LANES` float32 from `offset` on; a vector of more lanes than `slots(shape)` repeats the first ones."""
    length = min(_slots(shape.count), LANES)
    repeated = ir.Constant(_llvm_integers, [lane % length for lane in range(LANES)])

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        piece = ir.VectorType(ir.FloatType(), length).as_pointer()
        loaded = builder.load(pointer_of(context, builder, signature.args[0], args[0], args[1], piece.pointee))
        loaded.align = 4
        return builder.shuffle_vector(loaded, loaded, repeated)

    return vector(array, types.intp, shape), generate


@intrinsic
def splat(typing_context: Any, scalar: Any) -> Any:
    """Return a vector with the float32 `scalar` in every lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return broadcast(builder, args[0])

    return vector(types.float32), generate


def _elementwise(doc: str, n_operands: int, generate_one: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return generate_one(builder, *args)

    def of_one(typing_context: Any, a: Any) -> Any:
        return vector(vector), generate

    def of_two(typing_context: Any, a: Any, b: Any) -> Any:
        return vector(vector, vector), generate

    operation = of_one if n_operands == 1 else of_two
    operation.__doc__ = f"Return {doc}."
    return intrinsic(operation)


maximum = _elementwise("max(a, b), ignoring a NaN", 2, lambda builder, a, b: _call(builder, "llvm.maxnum", a, b))
add = _elementwise("a + b", 2, lambda builder, a, b: builder.fadd(a, b))
subtract = _elementwise("a - b", 2, lambda builder, a, b: builder.fsub(a, b))
multiply = _elementwise("a * b", 2, lambda builder, a, b: builder.fmul(a, b))

SIGMOID_LIMIT = 16.0
"""The logit is clamped to +-16, where s(16) = 1 - 1.1e-7 is one float32 step below 1: any error still corrects."""

LOWEST_EXPONENT = -87.0
"""The least exponent of exp: exp(-87) is about 1e-38, the smallest normal float32."""

LOG2_E = 1.4426950408889634

# 2**x on [-0.5, 0.5] by least squares of the relative error at Chebyshev nodes: at most 8e-8, half a float32 step.
_EXP2_POLYNOMIAL = [1.00000007103, 0.693146949161, 0.240221217536, 0.05550742616, 0.00967545974555, 0.00132669703862]


def _exp2(builder: Any, exponent: Any) -> tuple[Any, Any]:
    """Return 2**exponent, -126 <= exponent <= 127, as two factors: 2**fraction and 2**whole."""
    whole = _call(builder, "llvm.rint", exponent)
    fraction = builder.fsub(exponent, whole)
    power = _constant(_EXP2_POLYNOMIAL[-1])
    for coefficient in reversed(_EXP2_POLYNOMIAL[:-1]):
        power = _multiply_add(builder, power, fraction, _constant(coefficient))
    bits = builder.add(builder.fptosi(whole, _llvm_integers), ir.Constant(_llvm_integers, [127] * LANES))
    return power, builder.bitcast(builder.shl(bits, ir.Constant(_llvm_integers, [23] * LANES)), _llvm_vector)


def _sigmoid(builder: Any, logit: Any) -> Any:
    clamped = _call(builder, "llvm.minnum", logit, _constant(SIGMOID_LIMIT))
    clamped = _call(builder, "llvm.maxnum", clamped, _constant(-SIGMOID_LIMIT))
    power, scale = _exp2(builder, builder.fmul(clamped, _constant(-LOG2_E)))  # exp(-x) = 2**(-x log2 e)
    return builder.fdiv(_constant(1.0), _multiply_add(builder, power, scale, _constant(1.0)))


def _exponential(builder: Any, x: Any) -> Any:
    clamped = _call(builder, "llvm.maxnum", x, _constant(LOWEST_EXPONENT))
    return builder.fmul(*_exp2(builder, builder.fmul(clamped, _constant(LOG2_E))))


exponential = _elementwise("exp(a) for a <= 0, 1e-38 below LOWEST_EXPONENT; of NaN a number", 1, _exponential)
sigmoid = _elementwise("1 / (1 + exp(-a)), a clamped to +-SIGMOID_LIMIT; of NaN a number", 1, _sigmoid)


@intrinsic
def prefetch(typing_context: Any, array: Any, offset: Any) -> Any:
    """Ask for the cache line of `array.flat[offset]`, for writing, into all levels of the cache."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, i32 = ir.IntType(8), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), i32, i32, i32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        address = pointer_of(context, builder, signature.args[0], args[0], args[1], byte)
        builder.call(function, [address, i32(1), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


# A register tile at a time, with its offsets and vectors in tuples


@intrinsic
def load_tile(typing_context: Any, array: Any, offset: Any, shape: Any) -> Any:
    """Return `array[offset : offset + len(shape)]`, the int64 offsets of a tile's output rows, as a tuple."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = [builder.add(args[1], args[1].type(place)) for place in range(shape.count)]
        values = [builder.load(pointer_of(context, builder, array, args[0], place, _int64)) for place in places]
        return context.make_tuple(builder, shape, values)

    return shape(array, types.intp, shape), generate


@intrinsic
def zero_sums(typing_context: Any, input_rows: Any, output_rows: Any) -> Any:
    """Return a zero vector for each pair of an input row and an output row."""
    sums = types.UniTuple(vector, input_rows.count * output_rows.count)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.make_tuple(builder, sums, [_constant(0.0)] * sums.count)

    return sums(input_rows, output_rows), generate


@intrinsic
def multiply_add_rows(
    typing_context: Any, sums: Any, inputs: Any, input_rows: Any, outputs: Any, output_rows: Any, column: Any
) -> Any:
    """Return sums[i * n_outputs + o] + inputs[input_rows[i] + column] * outputs[output_rows[o] + column], by lanes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = _unpack(builder, args[0], sums.count)
        left = [
            _load(context, builder, inputs, args[1], builder.add(row, args[5]))
            for row in _unpack(builder, args[2], input_rows.count)
        ]
        for o, row in enumerate(_unpack(builder, args[4], output_rows.count)):
            right = _load(context, builder, outputs, args[3], builder.add(row, args[5]))
            for i, row_values in enumerate(left):
                place = i * output_rows.count + o
                values[place] = _multiply_add(builder, row_values, right, values[place])
        return context.make_tuple(builder, sums, values)

    return sums(sums, inputs, input_rows, outputs, output_rows, types.intp), generate


@intrinsic
def store_totals(typing_context: Any, array: Any, offset: Any, sums: Any, shape: Any) -> Any:
    """Store the total over lanes of each sum: for each context those of the tile's rows, then zeros, its slots in all.

    A shuffle tree adds all sums at once, with about 3 operations for each where a reduction takes 8. It writes whole
    vectors: up to `LANES - slots(shape)` floats behind the last context become zero.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = _unpack(builder, args[2], sums.count)
        rows: list[Any] = []
        for first in range(0, sums.count, shape.count):
            rows += values[first : first + shape.count] + [_constant(0.0)] * (_slots(shape.count) - shape.count)
        rows += [_constant(0.0)] * (-len(rows) % LANES)
        for first in range(0, len(rows), LANES):
            totals = _add_lanes(builder, rows[first : first + LANES])
            _store(context, builder, array, args[0], builder.add(args[1], args[1].type(first)), totals)
        return context.get_dummy_value()

    return types.void(array, types.intp, sums, shape), generate


def _add_lanes(builder: Any, rows: list[Any]) -> Any:
    """Add up each of `LANES` vectors; return the vector of their totals.

    Each level halves the number of vectors: it adds lanes that two index lists pick from each pair (a, b). The first
    levels stay within 128 bits, where shuffles are cheap.
    """

    def level(rows: list[Any], piece: list[int], other: list[int]) -> list[Any]:
        def pick(a: Any, b: Any, indices: list[int]) -> Any:
            return builder.shuffle_vector(a, b, ir.Constant(_llvm_integers, indices))

        return [builder.fadd(pick(a, b, piece), pick(a, b, other)) for a, b in zip(rows[::2], rows[1::2], strict=True)]

    groups = range(0, LANES, 4)
    lower = [lane for g in groups for lane in (g, g + 1, LANES + g, LANES + g + 1)]
    rows = level(rows, lower, [lane + 2 for lane in lower])
    even = [lane for g in groups for lane in (g, g + 2, LANES + g, LANES + g + 2)]
    rows = level(rows, even, [lane + 1 for lane in even])
    # Each group of 4 lanes now holds partial totals of 4 rows. Add the upper half of each run of groups to the lower.
    run = LANES // 4
    while run > 1:
        starts = [vector_start + g for vector_start in (0, LANES) for g in range(0, LANES, 4 * run)]
        lower = [lane for start in starts for lane in range(start, start + 2 * run)]
        rows = level(rows, lower, [lane + 2 * run for lane in lower])
        run //= 2
    return rows[0]


@intrinsic
def load_rows(typing_context: Any, array: Any, rows: Any, column: Any, parts: Any) -> Any:
    """Return the vectors at `rows[i] + column + parts[p]`, row by row."""
    loaded = types.UniTuple(vector, rows.count * parts.count)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = _places(builder, args[1], rows, args[2], args[3], parts)
        return context.make_tuple(builder, loaded, [_load(context, builder, array, args[0], place) for place in places])

    return loaded(array, rows, types.intp, parts), generate


@intrinsic
def store_rows(typing_context: Any, array: Any, rows: Any, column: Any, parts: Any, values: Any) -> Any:
    """Store vectors where `load_rows` loads them, the last row first: of equal rows, the first one's values stay."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = _places(builder, args[1], rows, args[2], args[3], parts)
        for place, value in reversed(list(zip(places, _unpack(builder, args[4], values.count), strict=True))):
            _store(context, builder, array, args[0], place, value)
        return context.get_dummy_value()

    return types.void(array, rows, types.intp, parts, values), generate


def _places(builder: Any, rows: Any, row_type: Any, column: Any, parts: Any, part_type: Any) -> list[Any]:
    starts = [builder.add(row, column) for row in _unpack(builder, rows, row_type.count)]
    return [builder.add(start, part) for start in starts for part in _unpack(builder, parts, part_type.count)]


@intrinsic
def splat_slots(typing_context: Any, array: Any, offset: Any, shape: Any) -> Any:
    """Return a vector for each of the `len(shape)` float32 from `offset` on, which it has in every lane."""
    splatted = types.UniTuple(vector, shape.count)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = [builder.add(args[1], args[1].type(slot)) for slot in range(shape.count)]
        scalars = [builder.load(pointer_of(context, builder, array, args[0], i, ir.FloatType())) for i in places]
        return context.make_tuple(builder, splatted, [broadcast(builder, scalar) for scalar in scalars])

    return splatted(array, types.intp, shape), generate


@intrinsic
def exchange(typing_context: Any, coefficients: Any, moved: Any, fixed: Any, outputs: Any, moved_outputs: Any) -> Any:
    """Return `(moved + sum_o c[o] outputs[o], moved_outputs[o] + c[o] fixed)`, c the coefficients, all by parts.

    This is the step of a context and of the output rows of a tile, both at the parameters before the update.
    """
    result = types.Tuple((moved, moved_outputs))

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        c, inputs, fixed_inputs, old, new = (
            _unpack(builder, value, kind.count) for value, kind in zip(args, signature.args, strict=True)
        )
        for place in range(outputs.count):
            o, part = divmod(place, moved.count)
            inputs[part] = _multiply_add(builder, c[o], old[place], inputs[part])
            new[place] = _multiply_add(builder, c[o], fixed_inputs[part], new[place])
        both = [context.make_tuple(builder, moved, inputs), context.make_tuple(builder, moved_outputs, new)]
        return impl_ret_untracked(context, builder, result, context.make_tuple(builder, result, both))

    return result(coefficients, moved, fixed, outputs, moved_outputs), generate
