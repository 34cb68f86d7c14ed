import json

from passband.pipeline.sources.skipped import Omission, Skipped


def test_reasons_are_counted_and_only_the_first_names_kept():
    skipped = Skipped()
    for number in range(5):
        skipped.add("hidden", f".{number}")
    skipped.add("ignored", "a")
    assert list(skipped) == [Omission("hidden", 5, [".0", ".1", ".2"]), Omission("ignored", 1, ["a"])]
    assert str(skipped) == "5 hidden (.0, .1, .2, ...); 1 ignored (a)"
    skipped.clear()
    assert str(skipped) == ""


def test_what_is_kept_outlasts_every_clearing():
    skipped = Skipped()
    skipped.add("hidden", ".a")
    skipped.keep()
    for _ in range(2):
        skipped.clear()
        skipped.add("hidden", ".b")
        assert list(skipped) == [Omission("hidden", 2, [".a", ".b"])]


def test_names_that_cannot_be_printed_are_escaped():
    skipped = Skipped()
    for name in ("caf\udce9", "two\nlines", "\x1b[31m", "été 猫"):
        skipped.add("hidden", name)
    (omission,) = skipped
    assert omission.examples == [r"'caf\udce9'", r"'two\nlines'", r"'\x1b[31m'"]
    assert json.dumps(omission.examples, ensure_ascii=False).encode()
