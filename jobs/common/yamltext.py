"""Reading YAML that comes from outside: measured before anything is built from it, and refused in a few words.

An alias costs a line and stands for all that it names, so a file of a kilobyte can be a structure of terabytes.
Therefore a first pass over the parser's events counts what the file would become; only then is it built.

What plain YAML 1.1 does and this does not: a key said twice, a key that is no text, tags beyond texts, numbers, dates,
lists and mappings. What this does beyond it: ``1e-3`` is a number, as everywhere else.
"""

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from passband.jobs.common.yamlsize import Refused, measure
from passband.pipeline.documents import MAX_INTEGER_BITS, DocumentError, read_bounded, too_long
from passband.pipeline.errors import PassbandError
from passband.pipeline.seals import check_sealed_text
from passband.pipeline.shortened import shortened
from passband.pipeline.store import Store

MAX_YAML_BYTES = 16 << 20
"""A hundred thousand class names take 2 MB, the views of the largest job 3 MB."""
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_NAMES = {"int": "an integer", "float": "a number", "timestamp": "a date", "bool": "true or false", "null": "null"}
_EXPONENT = re.compile(r"^[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)[eE][-+]?[0-9]+$")


class YamlError(PassbandError, ValueError):
    """Text that is no YAML of ours; the message says where and why and leaves it to the caller to name the file."""


def parse_yaml(content: bytes | str) -> Any:
    """Return what YAML text says.

    What `yaml.safe_dump` wrote of a job (``job.yaml``, with ``identity`` and ``job``) is read as that meant it: it
    leaves a text like ``1e3`` without quotes.

    Raises
    ------
    YamlError
        If it is no YAML, too long, too deep, too large once its aliases are followed, says a key twice, or holds what
        a job cannot: another tag, a date that does not exist, an integer beyond 64 bits.
    """
    try:
        if len(content) > MAX_YAML_BYTES:
            raise YamlError(too_long(len(content), MAX_YAML_BYTES))
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        ours = measure(_events(text)) >= {"identity", "job"}
        loader = (_Loader if ours else _JobLoader)(_events(text))
        return loader.get_single_data()
    except UnicodeDecodeError as error:
        raise YamlError(f"is no UTF-8 text: byte {error.object[error.start]:#04x} at {error.start}") from error
    except Refused as error:
        raise YamlError(_told(error)) from error
    except yaml.YAMLError as error:
        raise YamlError(f"is not YAML: {_told(error)}") from error


def read_store_yaml(store: Store, name: str) -> Any:
    """Return what a file of `store` says.

    Raises what reading it raises, YamlError as `parse_yaml` does, and IntegrityError where its own digest is another.
    """
    try:
        content = read_bounded(store, name, MAX_YAML_BYTES)
    except DocumentError as error:
        raise YamlError(str(error)) from error
    check_sealed_text(content, f"{store.uri}/{name}")
    return parse_yaml(content)


def _events(text: str) -> Iterator[yaml.Event]:
    return iter(yaml.parse(text, Loader=_PARSER))


def _told(error: yaml.YAMLError) -> str:
    """Spell an error of the library on one line, its place first."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f"line {mark.line + 1}: " if mark is not None else ""
    if isinstance(error, yaml.reader.ReaderError):
        character = error.character if isinstance(error.character, str) else chr(error.character)
        what = f"the character {character!r} at {error.position} is not allowed"
    else:
        parts = ((getattr(error, "context", None) or "").partition(";")[0], getattr(error, "problem", None))
        what = ": ".join(part for part in parts if part) or str(error)
    return place + shortened(" ".join(what.split()), 200)


class _Loader(Composer, SafeConstructor, Resolver):
    """Builds plain values from events."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)
        self._left, self._next = events, next(events, None)

    def check_event(self, *choices: type[yaml.Event]) -> bool:
        """Say whether there is a next event, and of one of these kinds."""
        return self._next is not None and (not choices or isinstance(self._next, choices))

    def peek_event(self) -> yaml.Event | None:
        """Return the next event and leave it."""
        return self._next

    def get_event(self) -> yaml.Event | None:
        """Take the next event."""
        found, self._next = self._next, next(self._left, None)
        return found

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Build a value; what Python's own types say of a text that they cannot read becomes one sentence."""
        try:
            found = super().construct_object(node, deep)
        except (ValueError, OverflowError, TypeError, IndexError, KeyError, AttributeError) as error:
            _refuse(node, _unreadable(node), error)
        if isinstance(found, int) and found.bit_length() > MAX_INTEGER_BITS:
            _refuse(node, f"{shortened(node.value, 40)} is an integer beyond {MAX_INTEGER_BITS} bits")
        return found

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; its own keys are texts and unique, and go before those that ``<<`` merges in."""
        if not isinstance(node, yaml.MappingNode):
            _refuse(node, "a mapping is needed here")
        _check_keys(node)
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep) for key, value in node.value}

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Replace ``<<`` by the pairs that it merges in."""
        for key, value in node.value:
            merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
            if key.tag == f"{_TAG}merge":
                if not all(isinstance(one, yaml.MappingNode) for one in merged):
                    _refuse(value, "<< merges a mapping, or a list of mappings")
                for one in merged:
                    _check_keys(one)
        super().flatten_mapping(node)


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag not in (f"{_TAG}str", f"{_TAG}merge", f"{_TAG}value") or not isinstance(key, yaml.ScalarNode):
            _refuse(key, f"a key is a text, and {_shown_key(key)} is none; write it in quotes")
        if key.value in seen:
            _refuse(key, f"key {shortened(repr(key.value), 80)} is given twice in one mapping")
        seen.add(key.value)


def _shown_key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return "a list or mapping"
    return shortened(node.value, 40) or "an empty one"


def _unreadable(node: yaml.Node) -> str:
    """Spell why a scalar is not what its tag, or its look, says."""
    tag = node.tag.removeprefix(_TAG)
    shown = shortened(repr(node.value), 60) if isinstance(node, yaml.ScalarNode) else "a list or mapping"
    if tag == "int" and isinstance(node, yaml.ScalarNode) and len(node.value) > 100:
        return f"an integer of {len(node.value):,} digits; at most {MAX_INTEGER_BITS} bits are read"
    return f"{shown} is not {_NAMES.get(tag, tag)}; a text that looks like one stands in quotes"


def _refuse(node: yaml.Node, why: str, cause: BaseException | None = None) -> NoReturn:
    raise Refused(problem=why, problem_mark=node.start_mark) from cause


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    value = str(loader.construct_scalar(node))
    if not value.isascii():
        value.encode()  # a lone surrogate is no text that any file could hold; its error is a ValueError
    return value


def _undefined(loader: _Loader, node: yaml.Node) -> NoReturn:
    tag = node.tag.replace(_TAG, "!!")
    _refuse(node, f"the tag {shortened(tag, 60)} is not read here; texts, numbers, dates, lists and mappings are")


_CONSTRUCTORS: dict[str | None, Any] = {
    tag: build
    for tag, build in SafeConstructor.yaml_constructors.items()
    if tag and str(tag).removeprefix(_TAG) in ("null", "bool", "int", "float", "timestamp", "seq", "map")
}
_Loader.yaml_constructors = _CONSTRUCTORS | {f"{_TAG}str": _text, f"{_TAG}value": _text, None: _undefined}


class _JobLoader(_Loader):
    """Reads what a person wrote: ``1e-3`` is a number."""


_JobLoader.add_implicit_resolver(f"{_TAG}float", _EXPONENT, list("-+.0123456789"))


class _Dumper(yaml.SafeDumper):
    """Puts in quotes what `_JobLoader` would not read as a text."""


_Dumper.add_implicit_resolver(f"{_TAG}float", _EXPONENT, list("-+.0123456789"))


def dump_yaml(value: Any, *, compact: bool = False) -> str:
    """Return `value` as YAML that `parse_yaml` and any other reader take for the same.

    With `compact`, all of a list or mapping stands on one line, in brackets or braces.
    """
    form: dict[str, Any] = {"default_flow_style": True, "width": float("inf")} if compact else {}
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, **form)
    return text
