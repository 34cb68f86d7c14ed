"""The pickles of CIFAR's Python version, read without unpickling: nothing in them is called, imported or run.

A machine of the few instructions that such files hold: numbers, texts, lists, dictionaries, and arrays of bytes in the
ways that NumPy writes them. Of an array only its place in the file is kept.

What a file holds is not trusted in size either: a few bytes can stand for a value that nests a hundred times, shared
twice at each level. Such a value is never hashed, compared or spelled out.
"""

import mmap
import pickletools
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from passband.pipeline.sources.regular import opened


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
_MAX_NAME = 100  # characters of a module or of what it holds
_MAX_SIDES, _MAX_SIDE = 8, 2**63
_MAX_INSTRUCTIONS = 2_000_000  # the largest published file has about 200,000
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _RefusedError(ValueError):
    """Why a file is not read, in a few words: "it ..."."""


def read_pickle(path: Path) -> dict[str, Any]:
    """Return the dictionary that a file holds, with `Array` for its arrays.

    Raises
    ------
    ValueError
        No pickle, or one that holds anything else; the message says what, in less than a line.
    """
    try:
        content = _read(path)
    except _RefusedError:
        raise
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError("it is no whole pickle") from error  # the error's own words can be as long as the file
    return {_text(key): value for key, value in content.items()}


def class_names(found: list[Any]) -> tuple[str, ...]:
    """Return the texts of a list as names, none where something in it is no text of a name's length."""
    are_names = all(isinstance(name, (str, bytes)) and len(name) < _MAX_NAME for name in found)
    return tuple(map(_text, found)) if are_names else ()


def _read(path: Path) -> dict[str | bytes, Any]:
    machine = _Machine()
    with opened("cifar", path, path.name) as descriptor, _Content(descriptor, 0, access=mmap.ACCESS_READ) as content:
        # A map hands out no more than the file holds, where a file would make room for any length that is declared.
        for count, (instruction, argument, position) in enumerate(pickletools.genops(cast(IO[bytes], content))):
            if count == _MAX_INSTRUCTIONS:
                raise _RefusedError(f"it has more than {_MAX_INSTRUCTIONS} instructions")
            machine.step(instruction.name, argument, position or 0, content.tell())
    (made,) = machine.stack
    if not isinstance(made, dict):
        raise _RefusedError("it holds no dictionary")
    return made


class _Long(bytes):
    """Stands for bytes that are longer than any name, none of which are read."""

    num_bytes: int

    def __len__(self) -> int:
        return self.num_bytes

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> Any:
        """Return itself, which is no text."""
        return self


class _Content(mmap.mmap):
    """A file of which names and numbers are read, and anything longer is passed over."""

    def read(self, size: int | None = -1) -> bytes:
        """Return bytes, or what stands for many."""
        left = self.size() - self.tell()
        if size is None or not _LONG <= size <= left:
            return super().read(size)
        self.seek(size, 1)
        found = _Long()
        found.num_bytes = size
        return found

    def readline(self) -> bytes:
        """Return a line; raise ValueError for one that is longer than any number or name."""
        end = self.find(b"\n", self.tell(), self.tell() + _LONG)
        if end < 0:
            raise ValueError
        return super().read(end + 1 - self.tell())


def _text(key: str | bytes) -> str:
    return key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else key


class _Machine:
    """A pickle's stack, marks and memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any, position: int, end: int) -> None:
        """Follow one instruction, which stands from `position` up to `end`."""
        stack = self.stack
        if name in ("PROTO", "FRAME", "STOP"):
            return
        if name in _CONSTANTS or name in _PLAIN:
            if end - position > _LONG:  # `_Content` has not read it
                raise _RefusedError("it holds a text that is longer than any name")
            stack.append(_CONSTANTS.get(name, argument))
        elif name in _LENGTH_BYTES:
            begin = position + 1 + _LENGTH_BYTES[name]
            place = Place(begin, end - begin)
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
            stack.append(tuple(items) if name == "TUPLE" else items if name == "LIST" else _pairs(items))
        elif name in ("APPEND", "APPENDS"):
            items = self._popped(len(stack) - 1 if name == "APPEND" else self._marks.pop())
            self._top(list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._popped(len(stack) - 2 if name == "SETITEM" else self._marks.pop())
            self._top(dict).update(_pairs(items))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            names = argument.split(" ", 1) if name == "GLOBAL" else self._popped(len(stack) - 2)
            stack.append(_Name(_allowed(*names)))
        elif name == "REDUCE":
            called, arguments = self._popped(len(stack) - 2)
            stack.append(_reduced(called, arguments))
        elif name == "BUILD":
            (state,) = self._popped(len(stack) - 1)
            _build(stack[-1], state)
        else:
            raise _RefusedError(f"it holds the instruction {name}")

    def _popped(self, start: int) -> list[Any]:
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise _RefusedError("it is damaged")
        return self.stack[-1]


def _pairs(items: list[Any]) -> dict[str | bytes, Any]:
    """Return keys and values in turn as a dictionary; other keys than texts could take forever to hash."""
    if not all(isinstance(key, (str, bytes)) for key in items[::2]):
        raise _RefusedError("it holds a dictionary with other keys than texts")
    return dict(zip(items[::2], items[1::2], strict=True))


def _allowed(module: Any, name: Any) -> str:
    """Return what is to be imported, as "MODULE NAME"; refuse what is none of an array's."""
    if not all(isinstance(text, str) and len(text) < _MAX_NAME for text in (module, name)):
        raise _RefusedError("it asks for something by what is no name")
    if f"{module} {name}" not in _ALLOWED:
        raise _RefusedError(f"it asks for {ascii(f'{module}.{name}')[1:-1]}, which is none of an array's")
    return f"{module} {name}"


def _reduced(called: Any, arguments: Any) -> Any:
    """Return what a call would, of the three calls that make arrays."""
    name = called.name if isinstance(called, _Name) else ""
    if name in _RECONSTRUCT and arguments[0] == _Name(_NDARRAY):
        return Array()
    if name == _DTYPE:
        if arguments[0] not in ("u1", b"u1", "B"):
            kind = arguments[0] if isinstance(arguments[0], (str, bytes)) and len(arguments[0]) < _MAX_NAME else "?"
            raise _RefusedError(f"it holds an array of {ascii(_text(kind))[1:-1]}, not of bytes")
        return _Name(_DTYPE)
    if name in _FROM_BUFFER:
        place, dtype, shape, order = arguments
        return _checked(Array(shape, place), dtype, order == "C")
    raise _RefusedError("it calls what is none of an array's")


def _build(made: Any, state: Any) -> None:
    if isinstance(made, Array):
        _, made.shape, dtype, is_fortran, made.place = state
        _checked(made, dtype, not is_fortran)
    elif made != _Name(_DTYPE):
        raise _RefusedError("it sets the state of what is no array")


def _checked(array: Array, dtype: Any, is_c_order: bool) -> Array:
    if dtype != _Name(_DTYPE) or not is_c_order or not isinstance(array.place, Place):
        raise _RefusedError("it holds an array that is not written as plain bytes, row by row")
    shape = array.shape
    sides = shape if isinstance(shape, tuple) and len(shape) <= _MAX_SIDES else (None,)
    if not all(type(side) is int and 0 <= side < _MAX_SIDE for side in sides):
        raise _RefusedError("it holds an array whose shape is none")
    return array
