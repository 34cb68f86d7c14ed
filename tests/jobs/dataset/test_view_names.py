"""How views are called that a job gives no name."""

import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from passband.jobs.common.jobfile import JobError
from passband.jobs.dataset.spec import parse_job
from passband.jobs.dataset.view_names import copy_names

LOW, PRIME = {"radial": {"high": 8}}, {"prime": {"preset": "cifar"}}


def job(views, **output):
    return parse_job(
        {
            "kind": "generate",
            "name": "test",
            "source": {"kind": "digits", "split": "test"},
            "image": {"size": 32},
            "views": ["clean", *copy.deepcopy(views)],
            "output": {"uri": "out", **output},
        }
    )


def names(*views):
    return [name for name, _ in job(views).view_recipes()][1:]


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        ([PRIME], ["prime"]),
        ([{**PRIME, "copies": 3}], ["prime-1", "prime-2", "prime-3"]),
        (["dct_flip"], ["dct_flip"]),
        ([[LOW, PRIME]], ["radial-prime"]),
        ([{"chain": [LOW, "dct_flip"], "copies": 2}], ["radial-dct_flip-1", "radial-dct_flip-2"]),
        (["augmix", LOW, {"augmix": {"severity": 5}}], ["augmix-1", "radial", "augmix-2"]),
        ([PRIME, {**PRIME, "copies": 2}], ["prime-1", "prime-2", "prime-3"]),
        ([PRIME, {**PRIME, "name": "strong"}], ["prime", "strong"]),
        ([PRIME, {**LOW, "name": "prime"}], ["prime-1", "prime"]),
        ([{**LOW, "name": "prime", "copies": 2}, PRIME], ["prime-1", "prime-2", "prime"]),
        ([PRIME, {**LOW, "name": "prime-2"}, PRIME, PRIME], ["prime-1", "prime-2", "prime-3", "prime-4"]),
        ([[LOW] * 20], ["chain"]),
        ([[LOW] * 20, [PRIME] * 20], ["chain-1", "chain-2"]),
    ],
)
def test_views_are_called_after_their_stages(views, expected):
    assert names(*views) == expected


@given(
    st.lists(
        st.fixed_dictionaries(
            {"chain": st.lists(st.sampled_from(["dct_flip", "phase_only"]), min_size=1, max_size=9)},
            optional={"copies": st.integers(1, 3), "name": st.sampled_from(["dct_flip", "dct_flip-2", "a", "chain-1"])},
        ),
        min_size=1,
        max_size=6,
    )
)
def test_names_are_unique_and_read_back(views):
    given = [n for v in views if "name" in v for n in copy_names(v["name"], v.get("copies", 1))]
    if len(set(given)) < len(given):
        with pytest.raises(JobError, match="share the name"):
            job(views)
        return
    parsed = job(views)
    found = [name for name, _ in parsed.view_recipes()]
    assert len({name.casefold() for name in found}) == len(found)
    again = parse_job(yaml.safe_load(yaml.safe_dump(parsed.resolved())))
    assert again.view_recipes() == parsed.view_recipes()


def test_views_without_names_never_share_one():
    views = [{**PRIME, "name": "prime"}, PRIME, PRIME, {**PRIME, "name": "prime-1"}]
    assert names(*views) == ["prime", "prime-2", "prime-3", "prime-1"]


def test_thousands_of_copies_are_named_at_once():
    views = [{"dct_flip": {}, "copies": 1023}] * 4
    assert names(*views)[-1] == "dct_flip-4092"


def test_a_name_that_is_too_long_with_its_number_is_refused():
    with pytest.raises(JobError, match="x{63}-1: a name has at most 63 characters, with the number of its copy"):
        job([{"dct_flip": {}, "name": "x" * 63, "copies": 2}])
    assert names({"dct_flip": {}, "name": "x" * 63}) == ["x" * 63]


def test_a_float_view_is_not_called_as_the_member_of_all_views():
    view = {"radial": {"low": 8, "range": "float"}, "name": "views"}
    with pytest.raises(JobError, match="views.npy is the member that holds all views together"):
        job([view])
    assert job([view], members="numbers").output.members == "numbers"
