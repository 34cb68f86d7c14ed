"""Files with their sha256 beside them: every edit of one of the two shows, and a crash at any write leaves a pair."""

import hashlib
import subprocess

import pytest

from passband.pipeline.errors import IntegrityError
from passband.pipeline.hashed import delete_hashed, put_hashed, read_hashed, read_hashed_file
from passband.pipeline.layout import SHA256_SUFFIX
from passband.pipeline.store import LocalStore, open_store


class Killed(Exception):
    """Stands for the end of the process."""


class KilledStore(LocalStore):
    """Dies before its n-th write."""

    def __init__(self, folder, writes: int) -> None:
        super().__init__(folder)
        self.left = writes

    def put(self, name: str, content: bytes) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1
        super().put(name, content)


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    return open_store(tmp_path if request.param == "folder" else f"memory://hashed-{tmp_path.name}/out")


def test_what_is_written_reads_back_with_its_hash(store):
    for content in (b"one", b"two", b""):
        sha256 = put_hashed(store, "net.pt", content)
        found = read_hashed(store, "net.pt")
        assert (found.content, found.sha256, found.recorded) == (content, sha256, True)
        assert sha256 == hashlib.sha256(content).hexdigest()
    assert store.read("net.pt" + SHA256_SUFFIX) == f"{sha256}  net.pt\n".encode()
    delete_hashed(store, "net.pt")
    assert store.names("") == []


def test_other_tools_read_the_hash(tmp_path):
    put_hashed(LocalStore(tmp_path), "net.pt", b"weights")
    subprocess.run(["sha256sum", "--check", "--strict", "net.pt.sha256"], cwd=tmp_path, check=True, capture_output=True)


def test_every_flipped_bit_of_either_file_shows(tmp_path):
    store = LocalStore(tmp_path)
    put_hashed(store, "net.pt", b"weights of a network")
    flips = 0
    for name in ("net.pt", "net.pt" + SHA256_SUFFIX):
        whole = store.read(name)
        of_the_hash = whole[:64] if name.endswith(SHA256_SUFFIX) else whole  # the name after it is for people
        for place in range(len(of_the_hash)):
            for bit in range(8):
                damaged = bytearray(whole)
                damaged[place] ^= 1 << bit
                (tmp_path / name).write_bytes(damaged)
                with pytest.raises(IntegrityError):
                    read_hashed(store, "net.pt")
                flips += 1
        (tmp_path / name).write_bytes(whole)
    assert flips == 8 * (20 + 64)
    assert read_hashed(store, "net.pt").recorded


@pytest.mark.parametrize("beside", [b"", b"nothing", b"0" * 64, b"x" * 70_000, b"\xff\xfe"])
def test_what_is_no_hash_is_refused(beside, tmp_path):
    store = LocalStore(tmp_path)
    put_hashed(store, "net.pt", b"weights")
    (tmp_path / ("net.pt" + SHA256_SUFFIX)).write_bytes(beside)
    with pytest.raises(IntegrityError, match=r"net.pt.sha256: is damaged"):
        read_hashed_file(tmp_path / "net.pt")


@pytest.mark.parametrize("hashed", [True, False])
def test_a_crash_at_any_write_leaves_one_of_the_two_whole(hashed, tmp_path):
    reached = set()
    for writes in range(4):
        folder = tmp_path / str(writes)
        if hashed:
            put_hashed(LocalStore(folder), "net.pt", b"old")
        else:
            LocalStore(folder).put("net.pt", b"old")  # of a version that wrote no hash
        try:
            put_hashed(KilledStore(folder, writes), "net.pt", b"new")
        except Killed:
            reached.add(writes)
        found = read_hashed(LocalStore(folder), "net.pt")
        assert found.content == (b"old" if writes < 2 else b"new")
        put_hashed(LocalStore(folder), "net.pt", b"newer")  # the next call goes on
        assert read_hashed(LocalStore(folder), "net.pt").content == b"newer"
        assert (folder / ("net.pt" + SHA256_SUFFIX)).read_text().count("\n") == 1
    assert reached == {0, 1, 2}


@pytest.mark.parametrize("writes", [1, 2])
def test_a_crash_is_no_damage_where_only_the_file_was_deleted_before(writes, tmp_path):
    put_hashed(LocalStore(tmp_path), "net.pt", b"old")
    (tmp_path / "net.pt").unlink()
    with pytest.raises(Killed):
        put_hashed(KilledStore(tmp_path, writes), "net.pt", b"new")
    if writes > 1:
        assert read_hashed(LocalStore(tmp_path), "net.pt").content == b"new"
    put_hashed(LocalStore(tmp_path), "net.pt", b"newer")
    assert read_hashed(LocalStore(tmp_path), "net.pt").content == b"newer"


def test_a_file_without_a_hash_is_read_and_says_so(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"weights")
    assert not read_hashed_file(tmp_path / "net.pt").recorded
    with pytest.raises(FileNotFoundError):
        read_hashed_file(tmp_path / "none.pt")


def test_a_file_that_is_replaced_while_it_is_read_is_no_damage(tmp_path):
    class Slow(LocalStore):
        """Someone else replaces the file between its hash and its content."""

        replaced = False

        def read(self, name: str) -> bytes:
            if name == "net.pt" and not self.replaced:
                self.replaced = True
                put_hashed(LocalStore(tmp_path), "net.pt", b"new")
            return super().read(name)

    put_hashed(LocalStore(tmp_path), "net.pt", b"old")
    assert read_hashed(Slow(tmp_path), "net.pt").content == b"new"
