"""YAML that is wrong, hostile, or more than plain YAML 1.1 reads."""

import subprocess
import sys
from datetime import date

import pytest
import yaml

from passband.jobs.common.jobfile import JobError, read_yaml
from passband.jobs.common.yamlsize import MAX_DEPTH, MAX_NODES, MAX_TEXT
from passband.jobs.common.yamltext import MAX_YAML_BYTES, YamlError, dump_yaml, parse_yaml
from passband.jobs.dataset.spec import load_job

GIGABYTE = 1 << 30


def bomb(levels=12, width=10):
    """Lines that name one another: `width` to the power of `levels` values."""
    lines = ["l0: &l0 [" + ", ".join(["x"] * width) + "]"]
    lines += [f"l{n}: &l{n} [" + ", ".join([f"*l{n - 1}"] * width) + "]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def merge_bomb(levels=30):
    lines = ["l0: &l0 {a: 1, b: 2}"]
    lines += [f"l{n}: &l{n} {{<<: [*l{n - 1}, *l{n - 1}], k{n}: 1}}" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


REFUSED = {
    "a date that is none": ("a: 2024-13-45", "line 1: '2024-13-45' is not a date; a text that looks like one stands"),
    "a time that is none": ("a: 1\nb: 2024-02-30T25:00:00Z", "line 2: '2024-02-30T25:00:00Z' is not a date"),
    "binary": ("a: !!binary aGk=", "the tag !!binary is not read here"),
    "set": ("a: !!set {x, y}", "the tag !!set is not read here"),
    "python": ("a: !!python/name:os.system", "the tag !!python/name:os.system is not read here"),
    "python object": (
        "!!python/object/apply:os.system ['true']",
        "the tag !!python/object/apply:os.system is not read",
    ),
    "own tag": ("a: !mine x", "the tag !mine is not read here"),
    "no integer": ("a: !!int x", "'x' is not an integer"),
    "no float": ("a: !!float x", "'x' is not a number"),
    "no bool": ("a: !!bool x", "'x' is not true or false"),
    "no timestamp": ("a: !!timestamp x", "'x' is not a date"),
    "no digits": ("a: 0b_", "'0b_' is not an integer"),
    "5,000 digits": ("a: " + "1" * 5000, "an integer of 5,000 digits; at most 64 bits"),
    "5,000 hexadecimal digits": ("a: 0x" + "f" * 5000, "is an integer beyond 64 bits"),
    "sexagesimal without end": ("a: 1" + ":59" * 5000, "is an integer beyond 64 bits"),
    "a list for a mapping": ("a: !!map [x]", "a mapping is needed here"),
    "a mapping for an integer": ("a: !!int {x: y}", "expected a scalar node"),
    "bomb": (bomb(), f"more than {MAX_NODES:,} values, aliases followed"),
    "bomb as a key": (bomb() + "? *l11\n: x", f"more than {MAX_NODES:,} values"),
    "bomb as the kind": (bomb() + "kind: *l11", f"more than {MAX_NODES:,} values"),
    "bomb of merges": (merge_bomb(), f"more than {MAX_NODES:,} values"),
    "bomb of text": (
        "t: &t '" + "x" * 100_000 + "'\nl: [" + "*t, " * 1000 + "]",
        f"more than {MAX_TEXT >> 20} MB of text",
    ),
    "an alias in what it names": ("a: &a [*a]", "the alias \\*a stands in what it names"),
    "an alias in its own key": ("a: &a {? [*a] : x}", "the alias \\*a stands in what it names"),
    "depth by brackets": ("a: " + "[" * 500 + "]" * 500, f"nested more than {MAX_DEPTH} levels deep"),
    "depth without end": ("[" * 100_000, "nest"),
    "depth by indentation": ("\n".join(" " * n + "a:" for n in range(500)), f"nested more than {MAX_DEPTH} levels"),
    "depth by aliases": (
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [[[[[[*a{n - 1}]]]]]]\n" for n in range(1, 20)),
        f"nested more than {MAX_DEPTH} levels deep",
    ),
    "an unknown alias": ("a: *b", "undefined alias 'b'"),
    "an anchor twice": ("a: &x 1\nb: &x 2", "found duplicate anchor 'x'"),
    "a key twice": ("a: 1\nb: 2\na: 3", "line 3: key 'a' is given twice in one mapping"),
    "a merge twice": ("<<: {a: 1}\n<<: {b: 1}", "line 2: key '<<' is given twice"),
    "a key twice in what is merged": ("<<: {a: 1, a: 2}", "key 'a' is given twice"),
    "a merge of a number": ("a: {<<: 3}", "<< merges a mapping, or a list of mappings"),
    "a merge of numbers": ("a: {<<: [{b: 1}, 3]}", "<< merges a mapping, or a list of mappings"),
    "an integer as a key": ("1: x", "a key is a text, and 1 is none; write it in quotes"),
    "no as a key": ("no: x", "a key is a text, and no is none"),
    "a date as a key": ("2024-01-02: x", "a key is a text, and 2024-01-02 is none"),
    "nothing as a key": ("? \n: x", "a key is a text, and an empty one is none"),
    "a list as a key": ("[a]: x", "a key is a text, and a list or mapping is none"),
    "a lone surrogate": ('a: "\\ud800"', "line 1"),
    "a control character": ("a: \x01", "the character '.x01' at 3 is not allowed"),
    "two documents": ("a: 1\n---\nb: 2", "line 2: one document is read, and here another begins"),
    "another version": ("%YAML 9.9\n---\na: 1", "is not YAML"),
    "a tab": ("\ta: 1", "is not YAML: line 1"),
    "an open bracket": ("a: [", "is not YAML: line 2"),
    "bytes": (b"a: \xff\xfe", "is no UTF-8 text: byte 0xff at 3"),
    "a long token": ("a: *" + "b" * 100_000, r"bbb\.\.\.bbb"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_job_is_refused_on_one_short_line(text, message, tmp_path):
    with pytest.raises(YamlError, match=message) as error:
        parse_yaml(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300
    file = tmp_path / "job.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(JobError, match=message):
        load_job(file)


def test_a_bomb_is_refused_before_it_takes_memory(tmp_path):
    """In a process that may have a gigabyte: each of these would fill many."""
    for number, text in enumerate([bomb(60), bomb(60) + "kind: *l59", bomb(60) + "? *l59\n: x", merge_bomb(60)]):
        (tmp_path / f"{number}.yaml").write_text(text)
    script = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({GIGABYTE}, {GIGABYTE}))\n"
        "from passband.jobs.common.jobfile import JobError, read_yaml\n"
        "for path in sys.argv[1:]:\n"
        "    try: read_yaml(path)\n"
        "    except JobError as error: print(error)\n"
    )
    files = sorted(map(str, tmp_path.glob("*.yaml")))
    refused = subprocess.check_output([sys.executable, "-c", script, *files], text=True).splitlines()
    assert len(refused) == 4
    assert all("aliases followed" in line for line in refused)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        *((text, float(text)) for text in ("1e-3", "1e3", "1E-3", "+1e3", "-1e3", "1.5e3", ".5e3", "1.e3", "1e+3")),
        *((text, text) for text in ("1e", "e3", "1e+", "1e3x", "0x1ep3", "1e3.5", "--1e3", "'1e3'", "!!str 1e3")),
        (".inf", float("inf")),
        ("010", 8),
        ("08", "08"),
        ("12:30", 750),
        ("2024-01-02", date(2024, 1, 2)),
        ("=", "="),
        ("", None),
        ("~", None),
        ("18446744073709551615", 2**64 - 1),
    ],
)
def test_numbers_and_texts_are_told_apart(written, read):
    found = parse_yaml(f"a: {written}")["a"]
    expected = read.strip("'").removeprefix("!!str ") if isinstance(read, str) else read
    assert found == expected
    assert type(found) is type(expected)


def test_merge_keys_work_and_own_keys_go_first():
    text = "base: &base {a: 1, b: {c: 2}}\nmore: &more {b: 5, d: 6}\njob: {<<: *base, a: 3}\nboth: {<<: [*base, *more]}"
    found = parse_yaml(text)
    assert found["job"] == {"a": 3, "b": {"c": 2}}
    assert found["both"] == {"a": 1, "b": {"c": 2}, "d": 6}


def test_aliases_work_within_the_bounds():
    found = parse_yaml("a: &a {x: [1, 2]}\nb: *a\nc: [*a, *a]")
    assert found == {"a": {"x": [1, 2]}, "b": {"x": [1, 2]}, "c": [{"x": [1, 2]}] * 2}
    assert len(parse_yaml("a: &a [" + "x, " * 1000 + "]\nb: [" + "*a, " * 400 + "]")["b"]) == 400


def test_twelve_thousand_class_names_are_a_small_file():
    names = [f"class-{number:05d}-of-the-survey" for number in range(12_000)]
    text = yaml.safe_dump({"classes": names})
    assert len(text) > 300_000
    assert parse_yaml(text) == {"classes": names}


def test_size_and_end_of_a_file_are_bounded(tmp_path):
    path = tmp_path / "job.yaml"
    with path.open("wb") as file:
        file.truncate(200 << 30)  # a hole: it takes no space, and would take all memory
    with pytest.raises(JobError, match=f"job.yaml: is too long; at most {MAX_YAML_BYTES >> 20} MB are read"):
        read_yaml(path)
    with pytest.raises(JobError, match="is too long"):
        read_yaml("/dev/zero")
    with pytest.raises(YamlError, match="is 17.0 MB long; at most 16 MB are read"):
        parse_yaml("#" * (17 << 20))


@pytest.mark.parametrize("path", [".", "a\0b", "x" * 5000])
def test_what_is_no_file_is_named(path):
    with pytest.raises(JobError, match="cannot read the job file"):
        read_yaml(path)


def test_a_dataset_keeps_the_texts_that_its_job_yaml_left_without_quotes():
    """`yaml.safe_dump` writes the text 1e3 bare, as YAML 1.1 reads it; such files are there."""
    envelope = yaml.safe_dump({"identity": "x", "job": {"name": "1e3", "lr": 1e-3}})
    assert "name: 1e3\n" in envelope
    assert parse_yaml(envelope)["job"] == {"name": "1e3", "lr": 1e-3}
    assert parse_yaml("job: {name: 1e3}") == {"job": {"name": 1e3}}


def test_what_is_dumped_reads_back():
    value = {"texts": ["1e3", "1e-3", "no", "1", "2024-01-02", "é", "a: b", "", "="], "numbers": [1e-3, 1e300, 5, True]}
    assert parse_yaml(dump_yaml(value)) == value
    assert yaml.safe_load(dump_yaml(value)) == value
    compact = dump_yaml({**value, "long": "a " * 200}, compact=True)
    assert parse_yaml(compact) == {**value, "long": "a " * 200}
    assert compact.count("\n") == 1


def test_the_fallback_without_the_c_library_reads_the_same(monkeypatch):
    monkeypatch.setattr("passband.jobs.common.yamltext._PARSER", yaml.SafeLoader)
    refused = 0
    for text, _ in REFUSED.values():
        if len(text) < 10_000:
            with pytest.raises(YamlError) as error:
                parse_yaml(text)
            assert "\n" not in str(error.value)
            refused += 1
    assert refused > 35
    assert parse_yaml("a: &a {x: 1e-3}\nb: {<<: *a}") == {"a": {"x": 1e-3}, "b": {"x": 1e-3}}
