"""JSON from outside: what Python's own reader takes and nothing downstream can hold."""

import json

import pytest

from passband.pipeline.documents import MAX_JSON_BYTES, DocumentError, parse_json, read_json
from passband.pipeline.store import LocalStore

REFUSED = {
    "NaN": (b'{"a": NaN}', "is not JSON"),
    "infinity": (b'{"a": [-Infinity]}', "is not JSON"),
    "beyond floats": (b'{"a": [1e999]}', "a number beyond what a float can be"),
    "5,000 digits": (b'{"a": ' + b"1" * 5000 + b"}", "is not JSON: number out of range"),
    "beyond 64 bits": (b'{"a": {"b": [36893488147419103232]}}', "an integer beyond 64 bits"),
    "depth": (b"[" * 100_000, "is not JSON: recursion limit"),
    "closed depth": (b"[" * 5000 + b"]" * 5000, "is not JSON: recursion limit"),
    "a lone surrogate": (b'"\\ud800"', "is not JSON"),
    "no UTF-8": (b'"\xff"', "is not JSON"),
    "nothing": (b"", "is not JSON"),
    "half": (b'{"a": [1, 2', "is not JSON"),
    "more": (b"{} {}", "is not JSON"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_json_is_refused_on_one_short_line(content, message):
    with pytest.raises(DocumentError, match=message) as error:
        parse_json(content)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_sound_json_is_read_as_by_the_standard_library():
    value = {"a": [1, -1.5, 1e-300, True, None, "é\n", {"b": {}}], "seed": 2**63 - 1, "key": 2**64 - 1}
    for content in (json.dumps(value), json.dumps(value, indent=1, ensure_ascii=False).encode()):
        assert parse_json(content) == json.loads(content) == value


def test_metrics_may_be_infinite():
    assert parse_json(json.dumps({"loss": float("inf")}), finite=False) == {"loss": float("inf")}


def test_a_file_without_end_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "results.json").open("wb") as file:
        file.truncate(200 << 30)
    with pytest.raises(DocumentError, match=f"MB long; at most {MAX_JSON_BYTES >> 20} MB are read"):
        read_json(LocalStore(tmp_path), "results.json")
