import pytest

from passband.jobs.bench.cases import SIZES, VARIANTS, default_batch, is_attack, make_cases
from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.augment.corruption import NAMES
from passband.pipeline.augment.prime_options import PRESETS
from passband.pipeline.errors import PassbandError


def names(patterns=(), sizes=(32,)):
    return [case.name for case in make_cases(sizes, patterns, batch=lambda size: 1)]


def test_every_stage_preset_and_corruption_is_measured():
    assert set(VARIANTS) == set(AUGMENTATIONS), "add a line to VARIANTS for a new stage"
    found = set(names())
    assert {f"prime/{preset}" for preset in PRESETS} <= found
    assert {f"corrupt/{name}" for name in NAMES} <= found
    assert {"radial/low", "radial/high", "radial/band", "dct/low", "dct/high"} <= found
    assert {"dct_flip", "phase_only", "augmix", "sada"} <= found


def test_every_size_has_all_of_them_and_no_case_is_twice():
    cases = make_cases([*SIZES, 32], batch=lambda size: 1)
    assert len(cases) == len(names()) * len(SIZES)
    assert len({case.key for case in cases}) == len(cases)


def test_options_are_such_as_a_job_file_takes_at_every_size():
    for case in make_cases([16, 17, 32, 64, 224], batch=lambda size: 1):
        if not is_attack(case.stage):  # its surrogate comes with the images
            stage = AUGMENTATIONS[case.stage]
            stage.check(stage.Options.model_validate(case.options), (3, case.size, case.size))


def test_patterns_choose_by_stage_and_by_name():
    assert names(["dct_flip"]) == ["dct_flip"]
    assert names(["corrupt/*_blur"]) == [f"corrupt/{name}" for name in NAMES if name.endswith("_blur")]
    assert len(names(["corrupt"])) == len(NAMES)
    assert names(["svd", "dct/low"]) == ["dct/low", "svd/leading", "svd/trailing"]
    with pytest.raises(PassbandError, match="--stage primes: fits none of radial/low, .*jpeg_compression"):
        names(["primes"])


def test_batches_are_powers_of_two_within_their_bounds():
    assert [default_batch("cpu", size) for size in (32, 64, 224, 4096)] == [256, 256, 32, 1]
    assert [default_batch("cuda", size) for size in (32, 64, 224)] == [8192, 8192, 512]
