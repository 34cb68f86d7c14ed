"""The JSON of a stored sample that is none is a ValueError, which readers of shards name the shard by."""

import json

import pytest

from passband.pipeline.formats.webdataset.decode import decode_sample
from passband.pipeline.formats.webdataset.tar import StoredSample
from tests.pipeline.manifests import manifest

SOUND = {"key": "a", "label": 0, "group": 0, "domain": 0, "severity": 0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "the JSON of sample 4 is not JSON: recursion limit"),
        (json.dumps(SOUND | {"label": 2**80}).encode(), "the JSON of sample 4 holds an integer beyond 64 bits"),
        (b"[1]", "the JSON of sample 4 does not hold key, label"),
        (json.dumps(SOUND | {"group": "x"}).encode(), "the JSON of sample 4 does not hold key, label"),
    ],
)
def test_the_json_of_a_sample_that_is_none_is_named(content, message):
    with pytest.raises(ValueError, match=message):
        decode_sample(StoredSample(4, {"json": content}), manifest())
