"""Products of short vectors with small matrices, for use inside compiled loops.

A compiler vectorises the innermost loop alone. Over the ten columns of a channel that is one vector and a rest, with
checks and stores around them at every step. Here sums of four rows by sixteen columns stay in registers until they are
complete, which takes machine code written out by hand; how much it gains is in benchmarks/README.md.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.kernels.compiler import is_compiled

FloatArray = NDArray[np.float32]

_LANES = 8
_ROWS_AT_ONCE, _VECTORS_AT_ONCE = 4, 2


def widened(matrix: FloatArray) -> FloatArray:
    """Append zero columns to a matrix or vector until a multiple of eight stands side by side."""
    missing = -matrix.shape[-1] % _LANES
    return np.pad(matrix, [(0, 0)] * (matrix.ndim - 1) + [(0, missing)])


def _add_products(
    values: FloatArray,
    start: int,
    row_stride: int,
    stride: int,
    matrix: FloatArray,
    first: int,
    count: int,
    sums: FloatArray,
) -> None:
    """Add products of rows that lie in a vector with a matrix: ``sums[r] += x_r @ matrix[first : first + count]``.

    Entry ``i`` of ``x_r`` is ``values[start + r * row_stride + i * stride]``.

    Args:
        values: A vector.
        start: Where in it the first row begins.
        row_stride: Values from one row to the next.
        stride: Values from one entry of a row to the next.
        matrix: ``(M, W)`` with a multiple of eight columns (`widened`).
        first: The first of its rows that takes part.
        count: How many take part.
        sums: ``(R, W)``; not ``matrix``.
    """
    for row in range(len(sums)):
        begin = start + row * row_stride
        for i in range(count):
            sums[row] += values[begin + i * stride] * matrix[first + i]


def _in_registers() -> Any:
    """The same as machine code: to be called from compiled functions only."""
    from llvmlite import ir  # noqa: PLC0415 comes with numba
    from numba import types  # noqa: PLC0415 it may be absent
    from numba.core import cgutils  # noqa: PLC0415
    from numba.extending import intrinsic  # noqa: PLC0415

    vector = ir.VectorType(ir.FloatType(), _LANES)
    undefined, first_lane = ir.Constant(vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    all_first = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)

    def vector_at(builder: Any, data: Any, place: Any) -> Any:
        return builder.bitcast(builder.gep(data, [place]), vector.as_pointer())

    def repeated(builder: Any, number: Any) -> Any:
        return builder.shuffle_vector(builder.insert_element(undefined, number, first_lane), undefined, all_first)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def array(index: int) -> Any:
            return context.make_array(signature.args[index])(context, builder, arguments[index])

        def integer(index: int) -> Any:
            return context.cast(builder, arguments[index], signature.args[index], types.intp)

        values, matrix, sums = array(0), array(4), array(7)
        start, row_stride, stride, first, count = map(integer, (1, 2, 3, 5, 6))
        num_rows, width = cgutils.unpack_tuple(builder, sums.shape)
        index_type = context.get_value_type(types.intp)

        def fill(row: Any, column: Any, num_together: int, num_vectors: int) -> None:
            rows = [builder.add(row, index_type(r)) for r in range(num_together)]
            columns = [builder.add(column, index_type(_LANES * v)) for v in range(num_vectors)]
            places = [
                [vector_at(builder, sums.data, builder.add(builder.mul(r, width), c)) for c in columns] for r in rows
            ]
            totals = [
                [cgutils.alloca_once_value(builder, builder.load(place, align=4)) for place in line] for line in places
            ]
            begins = [builder.add(start, builder.mul(r, row_stride)) for r in rows]
            with cgutils.for_range(builder, count) as step:
                line = builder.mul(builder.add(first, step.index), width)
                weights = [
                    builder.load(vector_at(builder, matrix.data, builder.add(line, c)), align=4) for c in columns
                ]
                along = builder.mul(step.index, stride)
                for begin, row_totals in zip(begins, totals, strict=True):
                    value = builder.load(builder.gep(values.data, [builder.add(begin, along)]))
                    factor = repeated(builder, value)
                    for weight, total in zip(weights, row_totals, strict=True):
                        product = builder.fmul(factor, weight, flags=("contract",))
                        builder.store(builder.fadd(product, builder.load(total), flags=("contract",)), total)
            for line, row_totals in zip(places, totals, strict=True):
                for place, total in zip(line, row_totals, strict=True):
                    builder.store(builder.load(total), place, align=4)

        def in_blocks(stop: Any, block: int) -> list[tuple[Any, Any, int]]:
            """Whole blocks, then single ones."""
            whole = builder.sub(stop, builder.srem(stop, index_type(block)))
            return [(index_type(0), whole, block), (whole, stop, 1)]

        num_vectors = builder.sdiv(width, index_type(_LANES))
        for row_from, row_to, num_together in in_blocks(num_rows, _ROWS_AT_ONCE):
            with cgutils.for_range_slice(builder, row_from, row_to, index_type(num_together), index_type) as (row, _):
                for vector_from, vector_to, together in in_blocks(num_vectors, _VECTORS_AT_ONCE):
                    with cgutils.for_range_slice(builder, vector_from, vector_to, index_type(together), index_type) as (
                        place,
                        _,
                    ):
                        fill(row, builder.mul(place, index_type(_LANES)), num_together, together)
        return context.get_dummy_value()

    def typed(
        typing_context: Any,  # noqa: ARG001 what an intrinsic is called with
        values: Any,
        start: Any,
        row_stride: Any,
        stride: Any,
        matrix: Any,
        first: Any,
        count: Any,
        sums: Any,
    ) -> Any:
        return types.void(values, start, row_stride, stride, matrix, first, count, sums), generate

    return intrinsic(typed)


add_products: Any = _in_registers() if is_compiled else _add_products
