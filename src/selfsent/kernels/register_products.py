"""The machine code of `selfsent.kernels.small_products`: sums of several rows and columns stay in registers.

Four rows of sums by two vectors of eight columns are filled at a time, rests by single rows and vectors. A step of the
innermost loop loads two vectors of the matrix and one number a row; no sum leaves its register before the last step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from selfsent.compiler import LANES

_ROWS_AT_ONCE, _VECTORS_AT_ONCE = 4, 2

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_UNDEFINED, _FIRST = ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.IntType(32), 0)
_ALL_FIRST = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)


@dataclass(frozen=True, kw_only=True)
class _Code:
    """Writes instructions; the fields are the numbers and addresses that they work on.

    Args:
        builder: Takes the instructions, in order.
        index: The type of a place in an array.
        values: Address of the vector that holds the rows.
        start: Place of the first row in it.
        row_stride: From one row to the next.
        stride: From one entry of a row to the next.
        matrix: Address of the matrix.
        first: The first of its rows that takes part.
        count: How many take part.
        sums: Address of the sums.
        width: Columns of the matrix and of the sums.
    """

    builder: Any
    index: Any
    values: Any
    start: Any
    row_stride: Any
    stride: Any
    matrix: Any
    first: Any
    count: Any
    sums: Any
    width: Any

    def all(self, num_rows: Any) -> None:
        """Write the loops over blocks of rows and of vectors."""
        num_vectors = self.builder.sdiv(self.width, self.index(LANES))
        for row, num_together in self._blocks(num_rows, _ROWS_AT_ONCE):
            for vector, vectors_together in self._blocks(num_vectors, _VECTORS_AT_ONCE):
                self._fill(row, self.builder.mul(vector, self.index(LANES)), num_together, vectors_together)

    def _blocks(self, stop: Any, size: int) -> Iterator[tuple[Any, int]]:
        """Open a loop over whole blocks, then one over single ones; what the caller writes is their body."""
        whole = self.builder.sub(stop, self.builder.srem(stop, self.index(size)))
        for begin, end, step in ((self.index(0), whole, size), (whole, stop, 1)):
            with cgutils.for_range_slice(self.builder, begin, end, self.index(step), self.index) as (place, _):
                yield place, step

    def _fill(self, row: Any, column: Any, num_rows: int, num_vectors: int) -> None:
        """Write the sums of one block."""
        builder = self.builder
        rows = [builder.add(row, self.index(number)) for number in range(num_rows)]
        columns = [builder.add(column, self.index(LANES * number)) for number in range(num_vectors)]
        begins = [builder.add(self.start, builder.mul(row, self.row_stride)) for row in rows]
        places = [self._vector_at(self.sums, row, column) for row in rows for column in columns]
        totals = [cgutils.alloca_once_value(builder, builder.load(place, align=4)) for place in places]
        with cgutils.for_range(builder, self.count) as step:
            line = builder.add(self.first, step.index)
            weights = [builder.load(self._vector_at(self.matrix, line, column), align=4) for column in columns]
            along = builder.mul(step.index, self.stride)
            factors = [self._repeated(builder.add(begin, along)) for begin in begins]
            pairs = [(factor, weight) for factor in factors for weight in weights]
            for (factor, weight), total in zip(pairs, totals, strict=True):
                product = builder.fmul(factor, weight, flags=("contract",))
                builder.store(builder.fadd(product, builder.load(total), flags=("contract",)), total)
        for place, total in zip(places, totals, strict=True):
            builder.store(builder.load(total), place, align=4)

    def _vector_at(self, array: Any, row: Any, column: Any) -> Any:
        place = self.builder.add(self.builder.mul(row, self.width), column)
        return self.builder.bitcast(self.builder.gep(array, [place]), _VECTOR.as_pointer())

    def _repeated(self, place: Any) -> Any:
        """A vector of one number of ``values``, eight times."""
        number = self.builder.load(self.builder.gep(self.values, [place]))
        return self.builder.shuffle_vector(
            self.builder.insert_element(_UNDEFINED, number, _FIRST), _UNDEFINED, _ALL_FIRST
        )


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Write the code of one call, whose arguments are those of `selfsent.kernels.small_products.add_products`."""

    def array(position: int) -> Any:
        return context.make_array(signature.args[position])(context, builder, arguments[position])

    def integer(position: int) -> Any:
        return context.cast(builder, arguments[position], signature.args[position], types.intp)

    sums = array(7)
    num_rows, width = cgutils.unpack_tuple(builder, sums.shape)
    code = _Code(
        builder=builder,
        index=context.get_value_type(types.intp),
        values=array(0).data,
        start=integer(1),
        row_stride=integer(2),
        stride=integer(3),
        matrix=array(4).data,
        first=integer(5),
        count=integer(6),
        sums=sums.data,
        width=width,
    )
    code.all(num_rows)
    return context.get_dummy_value()


def _typed(
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
    """Accept float32 arrays without gaps, and whole numbers; numba refuses any other call."""
    arrays = [(values, 1), (matrix, 2), (sums, 2)]
    if any(kind != types.Array(types.float32, ndim, "C", readonly=not kind.mutable) for kind, ndim in arrays):
        return None
    return types.void(values, start, row_stride, stride, matrix, first, count, sums), _generate


add_products_in_registers: Any = intrinsic(_typed)
