"""How every source of files looks through folders; each test runs for all of them."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from passband.pipeline.home import HomeError
from passband.pipeline.sources import SOURCES, SourceError
from tests.pipeline.sources import files

SUFFIX = {"imagefolder": ".png", "webdataset": ".tar", "parquet": ".parquet"}


def write(kind, path, value):
    """Write one file with one image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "imagefolder":
        path.write_bytes(files.png(value))
    elif kind == "webdataset":
        files.write_tar(path, [("0.cls", b"a"), ("0.png", files.png(value))])
    else:
        files.write_parquet(path, count=1, start=value, label=lambda n: "a")


def opened(kind, path, **options):
    return SOURCES[kind](SOURCES[kind].Options(path=str(path), **options))


def found(kind, path, **options):
    """Return file -> value of its image."""
    source = opened(kind, path, **options)
    ends = {"imagefolder": ".png", "webdataset": "/0", "parquet": ".parquet:0"}[kind]
    return {entry.key.removesuffix(ends): files.value(source, entry) for entry in source.entries()}


def left_out(kind, path, **options):
    source = opened(kind, path, **options)
    for _ in range(2):  # listing twice counts once
        list(source.entries())
    return {omission.reason: (omission.count, omission.examples) for omission in source.skipped}


@pytest.fixture(params=SUFFIX)
def kind(request):
    return request.param


@pytest.fixture
def root(kind, tmp_path):
    for value, name in enumerate(("c/b", "c/a", "c/z/0", "d/x")):
        write(kind, tmp_path / "data" / f"{name}{SUFFIX[kind]}", value)
    return tmp_path / "data"


def test_order_by_the_parts_of_the_path(kind, root):
    assert list(found(kind, root).items()) == [("c/a", 1), ("c/b", 0), ("c/z/0", 2), ("d/x", 3)]
    assert left_out(kind, root) == {}


def test_hidden_names_and_those_of_macos_are_left_out_and_a_folder_counts_once(kind, root):
    expected = found(kind, root)
    for name in ("c/.ipynb_checkpoints/b", "c/.ipynb_checkpoints/c", "c/._a", "__MACOSX/c/q", "d/__MACOSX/q"):
        write(kind, root / f"{name}{SUFFIX[kind]}", 9)
    (root / "c/._a.parquet").write_bytes(b"Mac OS X")
    (root / ".git").mkdir()
    assert found(kind, root) == expected
    skipped = left_out(kind, root)
    assert skipped["left by macOS"] == (2, ["__MACOSX/", "d/__MACOSX/"])
    hidden = [
        ".git/",
        *(["c/._a.parquet"] if kind != "parquet" else []),
        f"c/._a{SUFFIX[kind]}",
        "c/.ipynb_checkpoints/",
    ]
    assert skipped["hidden"] == (len(hidden), hidden[:3])


def test_ignore_matches_names_and_paths_of_files_and_folders(kind, root):
    suffix = SUFFIX[kind]
    assert list(found(kind, root, ignore=["z"])) == ["c/a", "c/b", "d/x"]
    assert list(found(kind, root, ignore=["c/z/"])) == ["c/a", "c/b", "d/x"]
    assert list(found(kind, root, ignore=["c"])) == ["d/x"]
    assert list(found(kind, root, ignore=[f"b{suffix}", "d/*", "z"])) == ["c/a"]
    assert left_out(kind, root, ignore=["z", f"a{suffix}"])["ignored"] == (2, [f"c/a{suffix}", "c/z/"])


def test_links_are_followed_and_named_as_given(kind, root, tmp_path):
    write(kind, tmp_path / "blobs" / "9999", 20)
    write(kind, tmp_path / "elsewhere" / f"1{SUFFIX[kind]}", 21)
    (root / f"c/m{SUFFIX[kind]}").symlink_to(tmp_path / "blobs" / "9999")
    (root / "c" / "more").symlink_to("../../elsewhere")
    (tmp_path / "link").symlink_to("data")
    expected = {"c/a": 1, "c/b": 0, "c/m": 20, "c/more/1": 21, "c/z/0": 2, "d/x": 3}
    for path in (root, tmp_path / "link", root / "c" / ".."):
        assert list(found(kind, path).items()) == list(expected.items())


def test_loops_and_links_to_nothing_are_refused_by_name(kind, root):
    (root / "c/z/up").symlink_to("../..")
    with pytest.raises(SourceError, match="'c/z/up' is a link to a folder that contains it"):
        found(kind, root)
    (root / "c/z/up").unlink()
    (root / f"c/gone{SUFFIX[kind]}").symlink_to("nowhere")
    with pytest.raises(SourceError, match=f"'c/gone{SUFFIX[kind]}' is no regular file"):
        found(kind, root)


def test_a_folder_that_cannot_be_listed_is_an_error(kind, root, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("c/z"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match="cannot list 'c/z': Permission denied"):
        found(kind, root)


def test_a_folder_of_hidden_files_says_so(kind, tmp_path):
    write(kind, tmp_path / f".x{SUFFIX[kind]}", 1)
    with pytest.raises(SourceError, match=r"(holds no|has no folder).*left out: 1 hidden \(\.x"):
        found(kind, tmp_path)


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


def test_a_pointer_of_git_lfs_is_named(kind, root):
    (root / f"c/a{SUFFIX[kind]}").write_text(POINTER)
    with pytest.raises(SourceError, match=f"a{SUFFIX[kind]} is a pointer of Git LFS.*git lfs pull"):
        found(kind, root)


def test_a_pointer_of_git_lfs_beside_a_parquet_file_is_named(tmp_path):
    (tmp_path / "0.png").write_text(POINTER)
    pq.write_table(pa.table({"image": ["0.png"], "label": [0]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"0\.png is a pointer of Git LFS"):
        found("parquet", tmp_path)


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
class TestPatterns:
    """The same keys by folder, by pattern and by file."""

    def test_patterns_files_and_folders_give_the_same_keys(self, kind, root):
        suffix, expected = SUFFIX[kind], found(kind, root)
        for pattern in (f"*/**/*{suffix}", f"**/*{suffix}", "{c,d}", f"{{c/a,c/b,c/z/0,d/x}}{suffix}", "[cd]"):
            assert list(found(kind, root / pattern).items()) == list(expected.items())
        assert found(kind, root / "c") == {"a": 1, "b": 0, "z/0": 2}
        assert found(kind, root / f"c/*{suffix}") == {"a": 1, "b": 0}
        assert found(kind, root / f"c/a{suffix}") == {"a": 1}

    def test_links_are_named_as_given_by_pattern_and_as_a_file(self, kind, tmp_path):
        suffix = SUFFIX[kind]
        for number, blob in enumerate(("9999", "1111")):
            write(kind, tmp_path / "blobs" / blob, number)
            (tmp_path / "snap").mkdir(exist_ok=True)
            (tmp_path / f"snap/train-{number:04d}{suffix}").symlink_to(f"../blobs/{blob}")
        (tmp_path / "linked").symlink_to("snap")
        expected = {"train-0000": 0, "train-0001": 1}
        for path in ("snap", "linked", f"snap/train-*{suffix}", f"linked/train-{{0000..0001}}{suffix}"):
            assert list(found(kind, tmp_path / path).items()) == list(expected.items())
        assert found(kind, tmp_path / f"snap/train-0001{suffix}") == {"train-0001": 1}
        assert opened(kind, tmp_path / f"linked/train-*{suffix}").paths == tuple(
            str(tmp_path / f"snap/train-{number:04d}{suffix}") for number in range(2)
        )

    def test_relative_patterns_and_home(self, kind, root, monkeypatch):
        expected = found(kind, root)
        monkeypatch.chdir(root / "c")
        monkeypatch.setenv("HOME", str(root))
        for pattern in ("../{c,d}", "{../c,../d}", f"{{{root}/c,{root}/d}}", "~/[cd]"):
            assert found(kind, pattern) == expected

    def test_what_is_left_out_of_folders_is_left_out_of_patterns(self, kind, root):
        expected = found(kind, root)
        write(kind, root / f"c/__MACOSX/q{SUFFIX[kind]}", 9)
        assert found(kind, root / f"**/*{SUFFIX[kind]}") == expected
        assert list(found(kind, root / f"**/*{SUFFIX[kind]}", ignore=["z"])) == ["c/a", "c/b", "d/x"]
        skipped = left_out(kind, root / f"**/*{SUFFIX[kind]}", ignore=["c"])
        assert skipped == {"ignored": (1, ["c/"])}

    def test_a_pattern_without_a_match_is_named(self, kind, root):
        with pytest.raises(SourceError, match=r"no file matches 'c/q\*' in the folder '.*data'"):
            opened(kind, f"{root}/{{c/a*,c/q*}}")
        with pytest.raises(SourceError, match="pattern .* holds no .*left out: 1 ignored"):
            opened(kind, root / "d*", ignore=["d"])

    def test_what_a_pattern_meets_counts_once(self, kind, root):
        write(kind, root / f"c/z/.hidden{SUFFIX[kind]}", 9)
        for name in ("README.md", "c/README.md", "c/z/README.md"):
            (root / name).write_text("")
        for pattern in ("**", "*/../**", "{.,c,c/z,**/*}"):
            assert list(found(kind, root / pattern)) == ["c/a", "c/b", "c/z/0", "d/x"]
            skipped = left_out(kind, root / pattern)
            assert {reason: sorted(names) for reason, (_, names) in skipped.items()} == {
                "hidden": [f"c/z/.hidden{SUFFIX[kind]}"],
                f"not {SUFFIX[kind]}": ["README.md", "c/README.md", "c/z/README.md"],
            }
            assert [count for count, _ in skipped.values()] in ([1, 3], [3, 1])
        assert left_out(kind, root / "c/*")[f"not {SUFFIX[kind]}"][0] == 2

    def test_files_without_the_suffix_are_read_where_a_pattern_names_no_others(self, kind, tmp_path):
        write(kind, tmp_path / "blobs/9999", 3)
        assert len(list(opened(kind, tmp_path / "blobs/*").entries())) == 1

    def test_a_link_to_nothing_that_a_pattern_names_is_refused(self, kind, root):
        (root / f"c/c{SUFFIX[kind]}").symlink_to("nowhere")
        with pytest.raises(SourceError, match=f"'c{SUFFIX[kind]}' is no regular file, or a link to nothing"):
            opened(kind, f"{root}/c/{{a,c}}{SUFFIX[kind]}")

    def test_a_pattern_that_runs_in_a_circle_is_refused(self, kind, root):
        (root / "c/z/up").symlink_to("../..")
        with pytest.raises(SourceError, match="is a link to a folder that contains it"):
            opened(kind, root / f"**/*{SUFFIX[kind]}")

    def test_a_file_whose_name_looks_like_a_pattern(self, kind, tmp_path):
        write(kind, tmp_path / f"a[1]{SUFFIX[kind]}", 5)
        assert found(kind, tmp_path / f"a[1]{SUFFIX[kind]}") == {"a[1]": 5}

    def test_pointers_of_git_lfs_are_named_by_file_and_by_pattern(self, kind, root):
        (root / f"c/a{SUFFIX[kind]}").write_text(POINTER)
        for path in (root / f"c/a{SUFFIX[kind]}", root / "c/*"):
            with pytest.raises(SourceError, match=f"a{SUFFIX[kind]} is a pointer of Git LFS"):
                opened(kind, path)

    def test_many_links_to_the_folder_itself_are_refused_and_do_not_hang(self, kind, root):
        for name in ("here", "there"):
            (root / "c" / name).symlink_to(".")
        suffix = SUFFIX[kind]
        for pattern in (f"**/*{suffix}", "**", f"c/**/*{suffix}", f"{{c,d}}/**/a{suffix}", f"**/**/**/*{suffix}"):
            with pytest.raises(SourceError, match="is a link to a folder that contains it"):
                opened(kind, root / pattern)
        expected = {"c/a": 1, "c/b": 0, "c/z/0": 2, "d/x": 3}
        for pattern in (f"**/*{suffix}", "**", "{.,c,**/*}", f"{{{root}/c,{root}/d}}/**"):
            assert found(kind, root / pattern, ignore=["*here"]) == expected
            assert left_out(kind, root / pattern, ignore=["*here"]) == {"ignored": (2, left_out_names(root, pattern))}
        assert found(kind, root / f"{{c,d}}/*{suffix}") == {"c/a": 1, "c/b": 0, "d/x": 3}

    def test_folders_that_are_ignored_are_not_entered(self, kind, root, monkeypatch):
        listed, scandir = [], os.scandir
        monkeypatch.setattr(os, "scandir", lambda path: (listed.append(os.fspath(path)), scandir(path))[1])
        assert list(found(kind, root / f"**/*{SUFFIX[kind]}", ignore=["z", "d"])) == ["a", "b"]
        assert {os.path.relpath(folder, root) for folder in listed} == {".", "c"}

    def test_braces_that_do_not_match_are_named_with_the_way_out(self, kind, root):
        for pattern in ("{c,d", "c}*", "{c/*,{d}"):
            with pytest.raises(
                SourceError, match=r"the pattern '.*data/.*' has a brace without its other; .* backslash"
            ):
                opened(kind, root / pattern)
        write(kind, root / f"e{{/0{SUFFIX[kind]}", 7)
        assert found(kind, root / f"e\\{{/*{SUFFIX[kind]}") == {"0": 7}

    def test_two_dots_after_a_link_are_refused(self, kind, root, tmp_path):
        write(kind, tmp_path / "elsewhere" / "deep" / f"1{SUFFIX[kind]}", 21)
        (root / "link").symlink_to("../elsewhere/deep")
        with pytest.raises(SourceError, match=r"\.\. follows upon 'link', a link"):
            opened(kind, root / "l*/../*")


def left_out_names(root, pattern):
    return [f"{root}/c/{name}/" if pattern.startswith("{/") else f"c/{name}/" for name in ("here", "there")]


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
def test_a_folder_with_the_marks_of_a_pattern_in_its_name_is_meant_as_it_stands(kind, tmp_path):
    write(kind, tmp_path / "a[1]{x}" / f"train-0{SUFFIX[kind]}", 4)
    write(kind, tmp_path / "a1x" / f"train-0{SUFFIX[kind]}", 5)
    assert found(kind, tmp_path / "a[1]{x}" / f"train-*{SUFFIX[kind]}") == {"train-0": 4}
    assert found(kind, tmp_path / "a[1]x" / f"train-*{SUFFIX[kind]}") == {"train-0": 5}


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
def test_a_path_that_leads_to_no_file_or_no_home_is_refused(kind, tmp_path):
    pipe = tmp_path / f"pipe{SUFFIX[kind]}"
    os.mkfifo(pipe)
    with pytest.raises(SourceError, match="is no regular file"):
        opened(kind, pipe)  # to open it would wait for ever
    with pytest.raises(HomeError, match="^~nobody-of-that-name/x.tar: the home folder is not known"):
        opened(kind, "~nobody-of-that-name/x.tar")
