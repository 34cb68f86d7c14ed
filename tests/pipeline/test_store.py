import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from passband.pipeline.errors import OutputError, PassbandError
from passband.pipeline.store import LocalStore, ObjectStore, attempt_id, open_output, open_store


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    if request.param == "local":
        return open_store(tmp_path / "out")
    return open_store(f"memory://{tmp_path.name}/out")


def test_what_is_put_is_read(store):
    assert not store.exists("a/b.txt")
    store.put("a/b.txt", b"one")
    store.put("a/b.txt", b"three")
    assert store.read("a/b.txt") == b"three"
    assert store.size("a/b.txt") == 5
    assert store.names("a") == ["a/b.txt"]
    with store.open("a/b.txt") as file:
        file.seek(2)
        assert file.read() == b"ree"


def test_a_new_name_is_taken_once(store):
    assert store.put_new("records/0.json", b"first")
    assert not store.put_new("records/0.json", b"second")
    assert store.read("records/0.json") == b"first"


def test_names_of_an_absent_folder_are_none(store):
    assert store.names("nowhere") == []


def test_delete_of_nothing_is_nothing(store):
    store.delete("nothing")
    store.put("x", b"")
    store.delete("x")
    assert not store.exists("x")


def test_staged_shows_nothing_until_it_is_whole(store):
    with store.staged("s/x.tar", attempt_id()) as path:
        path.write_bytes(b"half")
        assert not store.exists("s/x.tar")
        assert store.names("s") == []
    assert store.read("s/x.tar") == b"half"


def test_a_failed_write_leaves_nothing(store):
    seen = []

    def fail():
        with store.staged("s/x.tar", attempt_id()) as path:
            seen.append(path)
            path.write_bytes(b"half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert not store.exists("s/x.tar")
    assert not seen[0].exists()


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd"])
def test_a_name_cannot_leave_the_folder(tmp_path, name):
    with pytest.raises(PassbandError, match="outside"):
        LocalStore(tmp_path).put(name, b"")


def test_an_object_name_cannot_leave_the_prefix():
    with pytest.raises(PassbandError, match="outside"):
        ObjectStore("memory://bucket/prefix").put("../x", b"")


def test_an_unknown_protocol_is_refused():
    with pytest.raises(PassbandError, match="nosuch"):
        open_store("nosuch://x/y")


def test_sweep_removes_what_a_killed_writer_left(tmp_path):
    script = (
        "import os, signal\nfrom passband.pipeline.store import LocalStore, attempt_id\n"
        f"store = LocalStore({str(tmp_path)!r})\n"
        "with store.staged('shards/a.tar', attempt_id()) as path:\n"
        "    path.write_bytes(b'half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    store = LocalStore(tmp_path)
    assert store.names("shards") == []
    assert len(list((tmp_path / "shards").iterdir())) == 1
    assert store.sweep() == 1
    assert list((tmp_path / "shards").iterdir()) == []


def test_of_many_writers_of_a_new_name_one_wins(tmp_path):
    store, barrier = LocalStore(tmp_path), threading.Barrier(8)

    def write(number):
        barrier.wait()
        return store.put_new("r.json", str(number).encode())

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(8)))
    assert sum(won) == 1
    assert store.read("r.json") == str(won.index(True)).encode()


def test_a_path_through_a_file_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write to .*file"):
        LocalStore(tmp_path / "file" / "out").put("x", b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_one_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="permission denied"):
        LocalStore(tmp_path).put("x", b"")


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EPERM, errno.ENOTDIR])
@pytest.mark.parametrize("filename", [None, "/elsewhere/image.png"])
def test_what_cannot_be_read_while_a_file_is_written_is_not_told_as_a_write(store, number, filename):
    """Today's mistake: the source's error was told as one of the output."""
    with pytest.raises(OSError, match="of a read") as raised, store.staged("s/x.tar", attempt_id()):
        raise OSError(number, "of a read", filename)
    assert (raised.value.errno, raised.value.filename) == (number, filename)


def test_an_error_is_not_its_own_cause(tmp_path):
    """Printing such a chain, a logger may walk for ever."""
    with pytest.raises(OSError, match="busy") as raised, LocalStore(tmp_path).staged("x", attempt_id()):
        raise OSError(errno.EBUSY, "busy")
    assert raised.value.__cause__ is None


def test_what_a_write_is_answered_is_told_whoever_writes(tmp_path):
    """A library that is handed the path, and knows nothing of us, fills the disk."""
    with pytest.raises(OutputError, match=f"cannot write to {tmp_path}: no space left") as raised:
        with LocalStore(tmp_path).staged("x", attempt_id()):
            raise OSError(errno.ENOSPC, "No space left on device")
    assert isinstance(raised.value.__cause__, OSError)


@pytest.mark.parametrize("size", [1, 1 << 20], ids=["when it is closed", "at once"])
def test_a_write_that_fails_is_told_whenever_it_reaches_the_disk(size):
    with pytest.raises(OutputError, match="cannot write to /dev: no space left"):
        with open_output(Path("/dev/full")) as file:
            file.write(b"x" * size)


def test_only_what_a_writer_left_is_hidden(tmp_path):
    """A class may be called after us: the file is the user's, and neither hidden nor swept away."""
    store = LocalStore(tmp_path)
    for name in ("shards/a.passband-b.tar", "a.passband-b.txt"):
        store.put(name, b"mine")
    (tmp_path / "shards" / ".passband-host-1-x.tar").write_bytes(b"left behind")
    assert store.names("shards") == ["shards/a.passband-b.tar"]
    assert store.names("") == ["a.passband-b.txt"]
    assert store.sweep() == 1
    assert store.names("shards") == ["shards/a.passband-b.tar"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_errors_of_an_object_store_name_the_bucket(s3_server):
    store = open_store("s3://no-such-bucket/set")

    def stage():
        with store.staged("x.tar", attempt_id()) as path:
            path.write_bytes(b"x")

    for write in (stage, lambda: store.put("x", b""), lambda: store.put_new("x", b"")):
        with pytest.raises(OutputError, match="cannot write to s3://no-such-bucket/set: The specified bucket does not"):
            write()
    for read in (store.read, store.size, store.open):
        with pytest.raises(FileNotFoundError) as raised:
            read("x")
        assert raised.value.filename == "s3://no-such-bucket/set/x"


def test_a_driver_that_fails_in_its_own_way_is_an_error_of_that_object(tmp_path, monkeypatch):
    store = ObjectStore(f"memory://{tmp_path.name}")

    def fail(*_):
        raise RuntimeError("Could not connect\nto the endpoint")

    monkeypatch.setattr(type(store.files), "cat_file", fail)
    with pytest.raises(ConnectionError, match="Could not connect to the endpoint") as raised:
        store.read("x")
    assert raised.value.filename == f"memory://{tmp_path.name}/x"
