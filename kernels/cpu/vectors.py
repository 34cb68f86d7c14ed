"""Registers of several numbers, as Numba types: what the innermost loops are written with.

Loops that LLVM vectorises by itself keep their state in memory from pass to pass, and some it does not vectorise at
all. Written with these, state stays in registers, and every element sees the operations, in the order, that it would
see alone. Indices are not checked: `load8(array, i)` reads array[i : i + 8] of a flat, contiguous array.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.core.datamodel import models
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

_INDEX = ir.IntType(32)


class Vector(types.Type):
    """`lanes` numbers of one type."""

    def __init__(self, element: types.Number, lanes: int) -> None:
        self.element, self.lanes = element, lanes
        super().__init__(name=f"{element}x{lanes}")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Vector) -> None:
        element = manager.lookup(numba_type.element).get_value_type()
        super().__init__(manager, numba_type, ir.VectorType(element, numba_type.lanes))


float32x4, float32x8 = Vector(types.float32, 4), Vector(types.float32, 8)
uint64x4 = Vector(types.uint64, 4)


def _address(context: Any, builder: Any, array_type: Any, arguments: Any, kind: ir.VectorType) -> Any:
    """Return where arguments[0][arguments[1]] lies, as a pointer to a vector."""
    start = context.make_array(array_type)(context, builder, arguments[0]).data
    return builder.bitcast(builder.gep(start, [arguments[1]]), kind.as_pointer())


def _loader(vector: Vector) -> Callable[..., Any]:
    def load(typing: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_value_type(vector)
            return builder.load(_address(context, builder, array, arguments, kind), align=4)

        return vector(array, types.intp), generate

    return intrinsic(load)


def _spreader(vector: Vector) -> Callable[..., Any]:
    def spread(typing: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _splat(builder, arguments[0], context.get_value_type(vector))

        return vector(vector.element), generate

    return intrinsic(spread)


def _splat(builder: Any, number: Any, kind: ir.VectorType) -> Any:
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(_INDEX, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INDEX, kind.count), None))


@intrinsic
def spread_at(typing: Any, array: Any, index: Any) -> Any:
    """Return array[index] in all of eight lanes, without the test for a negative index."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = context.make_array(array)(context, builder, arguments[0]).data
        number = builder.load(builder.gep(start, [arguments[1]]))
        return _splat(builder, number, context.get_value_type(float32x8))

    return float32x8(array, types.intp), generate


load4, load8 = _loader(float32x4), _loader(float32x8)
spread4, spread8, spread_words = _spreader(float32x4), _spreader(float32x8), _spreader(uint64x4)


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write a vector to array[index :]; the low halves of 64-bit integers where the array holds 32-bit ones."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.VectorType(context.get_value_type(array.dtype), vector.lanes)
        value = arguments[2] if array.dtype == vector.element else builder.trunc(arguments[2], kind)
        builder.store(value, _address(context, builder, array, arguments, kind), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def reversed8(typing: Any, x: Any) -> Any:
    """Return eight numbers in the opposite order."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        order = ir.Constant(ir.VectorType(_INDEX, 8), [7, 6, 5, 4, 3, 2, 1, 0])
        return builder.shuffle_vector(arguments[0], arguments[0], order)

    return float32x8(float32x8), generate


@intrinsic
def counting(typing: Any, start: Any) -> Any:
    """Return the integers start, start + 1, start + 2, start + 3."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total = ir.Constant(context.get_value_type(uint64x4), ir.Undefined)
        for lane in range(4):
            term = builder.add(arguments[0], ir.Constant(ir.IntType(64), lane))
            total = builder.insert_element(total, term, ir.Constant(_INDEX, lane))
        return total

    return uint64x4(types.uint64), generate


@intrinsic
def clip8(typing: Any, x: Any) -> Any:
    """Return eight numbers clipped to [0, 1]."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(float32x8)
        zero, one = ir.Constant(kind, [0.0] * 8), ir.Constant(kind, [1.0] * 8)
        positive = builder.select(builder.fcmp_ordered(">", arguments[0], zero), arguments[0], zero)
        return builder.select(builder.fcmp_ordered("<", positive, one), positive, one)

    return float32x8(float32x8), generate


def _define(function: Any, of_floats: str, of_integers: str) -> None:
    """Let `function` (+, -, ..) work on two vectors of one type; the names are those of LLVM's instructions."""

    @infer_global(function)
    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and isinstance(args[0], Vector) and args[0] == args[1]:
                return signature(args[0], *args)
            return None

    @lower_builtin(function, Vector, Vector)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        floats = isinstance(sig.args[0].element, types.Float)
        return getattr(builder, of_floats if floats else of_integers)(*args)


for _function, _of_floats, _of_integers in (
    (operator.add, "fadd", "add"),
    (operator.sub, "fsub", "sub"),
    (operator.mul, "fmul", "mul"),
    (operator.and_, "", "and_"),
    (operator.xor, "", "xor"),
    (operator.rshift, "", "lshr"),
):
    _define(_function, _of_floats, _of_integers)
