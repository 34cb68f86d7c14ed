"""The pickles of CIFAR's Python version, read without unpickling: nothing in them is called, imported or run.

A machine of the few instructions that such files hold: numbers, texts, lists, dictionaries, and arrays of bytes in the
ways that NumPy writes them. Of an array only its place in the file is kept.
"""

import pickletools
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes in the file."""

    offset: int
    num_bytes: int


@dataclass(slots=True)
class Array:
    """An array of uint8, C order."""

    shape: tuple[int, ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class _Name:
    """Something that the pickle would import."""

    name: str


_CORE = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_RECONSTRUCT = {f"{module} _reconstruct" for module in _CORE}
_FROM_BUFFER = {f"{module} _frombuffer" for module in _NUMERIC}
_DTYPE, _NDARRAY = "numpy dtype", "numpy ndarray"
_ALLOWED = {*_RECONSTRUCT, *_FROM_BUFFER, _DTYPE, _NDARRAY}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}

# Instructions whose argument is their value, and those of bytes, with how many bytes tell the length.
_PLAIN = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "STRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"}
_LENGTH_BYTES = dict(SHORT_BINSTRING=1, SHORT_BINBYTES=1, BINSTRING=4, BINBYTES=4, BINBYTES8=8, BYTEARRAY8=8)
_LONG = 2048  # bytes from which on only the place is kept: no name is that long
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_pickle(path: Path) -> dict[str, Any]:
    """Return the dictionary that a file holds, with `Array` for its arrays.

    Raises
    ------
    ValueError
        No pickle, or one that holds anything else; the message says what.
    """
    machine = _Machine()
    with path.open("rb") as file:
        for instruction, argument, position in pickletools.genops(file):
            machine.step(instruction.name, argument, position or 0)
    (content,) = machine.stack
    if not isinstance(content, dict):
        raise ValueError("no dictionary")
    return {key.decode() if isinstance(key, bytes) else str(key): value for key, value in content.items()}


class _Machine:
    """A pickle's stack, marks and memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any, position: int) -> None:
        """Follow one instruction."""
        stack = self.stack
        if name in ("PROTO", "FRAME", "STOP"):
            return
        if name in _CONSTANTS or name in _PLAIN:
            stack.append(_CONSTANTS.get(name, argument))
        elif name in _LENGTH_BYTES:
            place = Place(position + 1 + _LENGTH_BYTES[name], len(argument))
            stack.append(argument if place.num_bytes < _LONG else place)
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name in _TUPLES:
            stack.append(tuple(self._popped(len(stack) - _TUPLES[name])))
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            stack.append([] if name == "EMPTY_LIST" else {})
        elif name in ("LIST", "DICT", "TUPLE"):
            items = self._popped(self._marks.pop())
            pairs = zip(items[::2], items[1::2], strict=True)
            stack.append(tuple(items) if name == "TUPLE" else items if name == "LIST" else dict(pairs))
        elif name in ("APPEND", "APPENDS"):
            items = self._popped(len(stack) - 1 if name == "APPEND" else self._marks.pop())
            self._top(list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._popped(len(stack) - 2 if name == "SETITEM" else self._marks.pop())
            self._top(dict).update(zip(items[::2], items[1::2], strict=True))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            wanted = argument if name == "GLOBAL" else " ".join(map(str, self._popped(len(stack) - 2)))
            if wanted not in _ALLOWED:
                raise ValueError(f"it asks for {wanted.replace(' ', '.')}, which is none of an array's")
            stack.append(_Name(wanted))
        elif name == "REDUCE":
            called, arguments = self._popped(len(stack) - 2)
            stack.append(_reduced(called, arguments))
        elif name == "BUILD":
            (state,) = self._popped(len(stack) - 1)
            _build(stack[-1], state)
        else:
            raise ValueError(f"it holds the instruction {name}")

    def _popped(self, start: int) -> list[Any]:
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise ValueError("it is damaged")
        return self.stack[-1]


def _reduced(called: Any, arguments: Any) -> Any:
    """Return what a call would, of the three calls that make arrays."""
    name = called.name if isinstance(called, _Name) else ""
    if name in _RECONSTRUCT and arguments[0] == _Name(_NDARRAY):
        return Array()
    if name == _DTYPE:
        if arguments[0] not in ("u1", b"u1", "B"):
            raise ValueError(f"it holds an array of {arguments[0]}, not of bytes")
        return _Name(_DTYPE)
    if name in _FROM_BUFFER:
        place, dtype, shape, order = arguments
        return _checked(Array(shape, place), dtype, order == "C")
    raise ValueError("it calls what is none of an array's")


def _build(made: Any, state: Any) -> None:
    if isinstance(made, Array):
        _, made.shape, dtype, is_fortran, made.place = state
        _checked(made, dtype, not is_fortran)
    elif made != _Name(_DTYPE):
        raise ValueError("it sets the state of what is no array")


def _checked(array: Array, dtype: Any, is_c_order: bool) -> Array:
    if dtype != _Name(_DTYPE) or not is_c_order or not isinstance(array.place, Place):
        raise ValueError("it holds an array that is not written as plain bytes, row by row")
    return array
