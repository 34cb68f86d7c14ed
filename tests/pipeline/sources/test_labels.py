import pytest

from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.labels import ClassIndex, checked_label, untyped_label


def indices(given, labels):
    index = ClassIndex("x", given, labels if given is None else ())
    return index.names, [index.index(label, "here") for label in labels]


def test_integers_are_indices_and_texts_names():
    names = ["1", "10", "2"]
    assert indices(names, [0, 1, 2]) == (("1", "10", "2"), [0, 1, 2])
    assert indices(names, ["1", "10", "2"]) == (("1", "10", "2"), [0, 1, 2])
    assert indices(names, [1, "1"])[1] == [1, 0]
    assert indices(3, [2, "2"])[1] == [2, 2]


def test_without_classes_the_integers_found_are_names_by_value():
    assert indices(None, [7, 3, 7, 11]) == (("3", "7", "11"), [1, 0, 1, 2])
    assert indices(None, ["b", "a"]) == (("a", "b"), [1, 0])
    assert indices(None, ["10", "9"]) == (("9", "10"), [1, 0])


@pytest.mark.parametrize("label", [3, "3", "dog", ""])
def test_a_label_that_is_no_class_is_named(label):
    with pytest.raises(SourceError, match=rf"^source x: row 5 has label {label!r}, .* cat, 1, emu \(3 classes\)$"):
        ClassIndex("x", ["cat", "1", "emu"]).index(label, "row 5")


def test_an_index_that_may_have_been_meant_as_a_name_is_explained():
    with pytest.raises(SourceError, match=r"label 2, an index beyond 1, 2 \(2 classes\); an integer is an index even"):
        ClassIndex("x", ["1", "2"]).index(2, "here")


def test_a_class_that_stands_twice_is_refused():
    with pytest.raises(SourceError, match="named twice: a, a"):
        ClassIndex("x", ["a", "a"])


@pytest.mark.parametrize(
    ("names", "labels", "warned"),
    [
        (["1", "2"], [0, 1], True),
        (["0", "1"], [0, 1], False),
        (["1", "2"], ["1", "2"], False),
        (["cat", "dog"], [0, 1], False),
        (3, [0, 2], False),
    ],
)
def test_indices_into_numerals_are_told(names, labels, warned):
    index = ClassIndex("x", names)
    for label in labels:
        index.index(label, "here")
    assert bool(index.warnings) == warned
    assert not warned or "label 0 is '1'" in index.warnings[0]


def test_truth_values_are_integers_and_all_else_is_told():
    assert [checked_label("x", label, "") for label in (False, True, 5, "a")] == [0, 1, 5, "a"]
    told = {None: "no label: it is null", 1.0: "a float", -1: "negative", "": "neither", b"a": "neither"}
    for label, fault in told.items():
        with pytest.raises(SourceError, match=f"^source x: row 5 has .*{fault}"):
            checked_label("x", label, "row 5")


def test_text_without_a_type():
    assert [untyped_label(text) for text in ("7", "0", "-1", "a1", "²", "")] == [7, 0, -1, "a1", "²", ""]
    assert [untyped_label(text) for text in ("007", "00", "-0", "-01", "+7", "1_0")] == "007 00 -0 -01 +7 1_0".split()
    assert untyped_label("1" * 5000) == "1" * 5000  # more than Python converts


def test_zeros_in_front_make_a_name():
    texts = ["001", "002", "003"]
    labels = [untyped_label(text) for text in texts]
    assert indices(texts, labels)[1] == [0, 1, 2]
    assert indices(None, [untyped_label(text) for text in ("007", "7")]) == (("007", "7"), [0, 1])
    assert indices(None, labels) == (("001", "002", "003"), [0, 1, 2])


def test_of_a_number_of_classes_they_are_an_index_still():
    assert indices(10, ["007", "000", "09"])[1] == [7, 0, 9]
    for label in ("010", "", "-07"):
        with pytest.raises(SourceError, match=f"has label {label!r}, which is none of"):
            ClassIndex("x", 10).index(label, "here")


@pytest.mark.parametrize("label", ["cat\ndog", "cat\r", "c\0"])
def test_a_name_of_several_lines_is_refused(label):
    with pytest.raises(SourceError, match="a name with a line break or a NUL"):
        checked_label("x", label, "here")
