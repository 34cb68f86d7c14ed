import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passband.jobs.common import wording
from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.sources import SOURCES

SURROGATE = {"network": "lenet", "checkpoint": "model.pt"}
ATTACK = {"surrogate": {"network": "lenet"}, "target": None, "alpha": None}
SADA = {"stage": "sada", "version": 1, **AUGMENTATIONS["sada"].Options(surrogate=SURROGATE).model_dump()}


@pytest.mark.parametrize(
    ("num_bytes", "expected"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (50_780_160, "50.8 MB"),
        (3 * 10**12, "3.00 TB"),
        (4 * 10**15, "4.00 PB"),
    ],
)
def test_sizes(num_bytes, expected):
    assert wording.size(num_bytes) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0"), (0.01234, "0.0123"), (1, "1.00"), (99.96, "100"), (123.4, "123"), (12345.0, "12,300")],
)
def test_three_significant_digits(number, expected):
    assert wording.significant(number) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "?"),
        (0.0, "0 s"),
        (0.4213, "0.42 s"),
        (4.0, "4 s"),
        (9.96, "10 s"),
        (45.2, "45 s"),
        (99.4, "99 s"),
        (99.6, "2 min"),
        (1329.0, "22 min"),
        (3569.0, "59 min"),
        (3571.0, "1 h 00 min"),
        (3900.0, "1 h 05 min"),
        (200_000.0, "55 h 33 min"),
    ],
)
def test_durations(seconds, expected):
    assert wording.duration(seconds) == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"stage": "radial", "low": 0.0, "high": 8.0}, "low-pass: spatial frequencies below 8 bins"),
        ({"stage": "radial", "low": 8.0, "high": "inf"}, "high-pass: spatial frequencies from 8 bins on"),
        ({"stage": "radial", "low": 2.5, "high": 8.0}, "band-pass: spatial frequencies from 2.5 to below 8 bins"),
        ({"stage": "svd", "rank": 1, "keep": "leading"}, "the 1 leading singular component of each channel"),
        (
            {"stage": "dct", "size": 4, "keep": "high", "range": "clip"},
            "the 4 × 4 highest DCT coefficients; clipped to [0, 1]",
        ),
        ({"stage": "corrupt", "types": ["glass_blur"], "severity": 3}, "glass blur, severity 3"),
        (
            {"stage": "corrupt", "types": ["fog", "snow"], "severity": {"poisson": 1.0}},
            "fog or snow, severity Poisson(1), cut at 5",
        ),
        (
            {"stage": "corrupt", "types": ["x"] * 15, "severity": {"uniform": [1, 5]}},
            "one of the 15 common corruptions, severity drawn from 1 to 5",
        ),
        (
            {"stage": "corrupt", "types": ["frost"], "severity": 2, "rounding": "truncate"},
            "frost, severity 2, truncated to 8 bits",
        ),
        (
            {"stage": "corrupt", "types": ["frost"], "severity": 2, "frost_textures": "/x"},
            "frost, severity 2, frost from given photographs",
        ),
        ({"stage": "augmix", "severity": 3, "width": 3, "depth": 1}, "AugMix, severity 3: 3 chains of 1 operation"),
        (SADA, "SADA against a lenet, the enhanced map, up to 5 steps of 0.08"),
        (
            SADA | {"map": "/x/maps.npz", "targeted": False, "steps": 1},
            "SADA against a lenet, a given map, up to 1 step of 0.08, random signs",
        ),
        (SADA | {"random_only": True}, "SADA's random start alone, amplitudes within 0.2"),
        (ATTACK | {"stage": "deepfool"}, "DeepFool against a lenet"),
        (
            ATTACK | {"stage": "sparsefool", "target": "cat", "alpha": 0.1},
            "SparseFool against a lenet, towards cat, elements within 0.1",
        ),
        (ATTACK | {"stage": "deepfool", "target": "random"}, "DeepFool against a lenet, towards a class that is drawn"),
        ({"stage": "unheard", "version": 2, "a": 1.50, "b": [1, 2]}, "unheard (a 1.5, b [1, 2])"),
        ({"stage": "radial", "radius": 3}, "radial (radius 3)"),
    ],
)
def test_recipes_in_words(step, expected):
    assert wording.recipe([step]) == expected
    assert wording.recipe([step, step]) == f"{expected}, then {expected}"


NEEDED = {
    "radial": {"high": 8.0},
    "dct": {"size": 4, "keep": "low"},
    "svd": {"rank": 3, "keep": "trailing"},
    "prime": {"preset": "cifar", "strength": 0.5},
    "corrupt": {"types": ["fog"], "severity": 3},
    **{name: {"surrogate": SURROGATE} for name in ("sada", "deepfool", "sparsefool")},
}


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
def test_every_stage_can_be_said(name):
    options = AUGMENTATIONS[name].Options.model_validate(NEEDED.get(name, {}))
    said = wording.recipe([{"stage": name, "version": 1, **options.model_dump()}])
    assert said
    assert not said.startswith(f"{name} ("), "known to this module, but said by its options only"


@given(st.text(max_size=40))
def test_plain_text_is_one_printable_line(text):
    said = wording.plain(text)
    assert said.isprintable()
    assert said == wording.plain(said)


@given(st.text(alphabet="ab`*_[]|<>&~$\\\n\0", max_size=30))
def test_markdown_shows_the_text_itself(text):
    escaped = wording.markdown(text)
    assert "<" not in escaped
    shown, position = "", 0
    while position < len(escaped):
        position += escaped[position] == "\\"
        shown += escaped[position]
        position += 1
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        shown = shown.replace(entity, character)
    assert shown == wording.plain(text)


def test_markdown_leaves_names_readable():
    assert wording.markdown("x86_64 low-pass (8)") == "x86_64 low-pass (8)"
    assert wording.markdown("__init__ a|b [c](d)") == r"\_\_init\_\_ a\|b \[c\](d)"


@given(st.text(alphabet="`a\n", max_size=20))
def test_a_fence_is_longer_than_any_in_the_code(code):
    first, *inside, last = wording.fenced(code, "sh").split("\n")
    assert first == last + "sh"
    assert all(last not in line for line in inside)


def test_commands_survive_a_shell():
    words = ("passband", "run", "a folder/it's.yaml")
    assert shlex.split(wording.command(*words)) == list(words)


def test_labels_without_a_name_are_numbers():
    assert wording.class_name(1, ["cat", "dog"]) == "dog"
    assert wording.class_name(2, ["cat", "dog"]) == "2"
    assert wording.class_name(0, [" \n"]) == "0"


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_a_source_is_said_without_options_that_say_nothing(kind):
    fields = {name: field for name, field in SOURCES[kind].Options.model_fields.items() if not field.is_required()}
    options = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
    said = wording.source({"kind": kind, "domain": None, **options})
    assert "[]" not in said
    assert "{}" not in said
    assert "None" not in said
    assert wording.source({"kind": "imagefolder", "path": "/x", "ignore": ["*.txt"], "classes": []}) == (
        "imagefolder (path /x, ignore [*.txt])"
    )
