"""`passband stages`: options of every shape of schema, in a narrow terminal too."""

from passband.jobs.dataset.listing import listing, spell_listing
from passband.pipeline.augment.corruption import NAMES


def test_unions_are_spelled_out_and_a_list_does_not_repeat_them():
    options = listing()["stages"]["corrupt"]["options"]
    assert options["types"]["type"] == " | ".join(["all", *NAMES, "list of these"])
    assert options["severity"]["type"] == "integer | {poisson} | {uniform}"
    assert options["table"]["type"] == "cifar | tiny | imagenet"


def test_no_line_is_wider_than_the_terminal():
    for width in (60, 100):
        lines = spell_listing(listing(), width).splitlines()
        assert max(map(len, lines)) <= width
        assert any(line.startswith("  corrupt: ") for line in lines)


def test_new_stages_say_what_they_do_and_how_a_severity_is_spelled():
    stages = listing()["stages"]
    assert stages["augmix"]["summary"].startswith("Mix the image with chains of simple operations")
    assert "{poisson: 1.0} or {uniform: [0, 5]}" in stages["corrupt"]["options"]["severity"]["description"]
