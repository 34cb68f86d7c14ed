"""Arrays inside kernels without reference counts.

Numba counts references atomically for every slice and every array handed on. A kernel returns none of its arrays and
its caller keeps them alive, so inside kernels they can be borrowed.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = ir.Constant(array.meminfo.type, None)
        array.parent = ir.Constant(array.parent.type, None)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):  # type: ignore[attr-defined]
        for place, element in enumerate(kind):
            member = builder.extract_value(value, place)
            value = builder.insert_value(value, _without_owner(context, builder, element, member), place)
    return value


@intrinsic
def borrowed(typing: Any, value: Any) -> Any:
    """Return an array, or a tuple of such values, without its owner: valid as long as the original is."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _without_owner(context, builder, value, arguments[0])

    return value(value), generate


@intrinsic
def flat(typing: Any, array: Any) -> Any:
    """Return the elements of a contiguous array as one row, borrowed."""
    row = array.copy(ndim=1)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = context.make_array(array)(context, builder, arguments[0])
        target = context.make_array(row)(context, builder)
        nothing = ir.Constant(target.meminfo.type, None)
        target.meminfo, target.parent = nothing, ir.Constant(target.parent.type, None)
        target.data, target.nitems, target.itemsize = source.data, source.nitems, source.itemsize
        target.shape = cgutils.pack_array(builder, [source.nitems])
        target.strides = cgutils.pack_array(builder, [source.itemsize])
        return target._getvalue()

    return row(array), generate
