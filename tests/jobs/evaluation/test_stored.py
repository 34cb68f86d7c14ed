import numpy as np
import pytest

from passband.jobs.evaluation.stored import StoredPredictions
from passband.jobs.training.predict import Predictions
from passband.pipeline.store import LocalStore

COLUMNS = ("predicted", "labels", "groups", "indices")


@pytest.fixture
def kept(tmp_path):
    """Stored predictions on 40 samples, what was stored, and their file."""
    rng = np.random.default_rng(0)
    made = Predictions(*(rng.integers(0, 10, 40) for _ in COLUMNS))
    stored = StoredPredictions(LocalStore(tmp_path), "0" * 64, None)
    stored.write("d", "clean", made)
    (file,) = (tmp_path / "predictions").iterdir()
    return stored, made, file


def test_damaged_predictions_are_none_or_whole_wherever_the_damage_is(kept):
    stored, made, file = kept
    whole, none = file.read_bytes(), 0
    for place in range(0, len(whole), 3):
        for flip in (1, 255):
            damaged = bytearray(whole)
            damaged[place] ^= flip
            file.write_bytes(damaged)
            found = stored.read("d", "clean")
            none += found is None
            for column in COLUMNS if found else ():
                np.testing.assert_array_equal(getattr(found, column), getattr(made, column))
    assert none > len(whole) // 3


def test_predictions_of_other_weights_data_or_adaptation_are_not_taken(kept, tmp_path):
    stored, _, _ = kept
    assert stored.read("d", "clean") is not None
    assert stored.read("e", "clean") is None
    assert stored.read("d", "low-4") is None
    assert StoredPredictions(LocalStore(tmp_path), "1" * 64, None).read("d", "clean") is None
    assert StoredPredictions(LocalStore(tmp_path), "0" * 64, {"prior": 0, "batch": 8}).read("d", "clean") is None
