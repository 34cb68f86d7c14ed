"""The digests of a manifest: what they catch, and that no kill while they are written costs the dataset."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passband.pipeline.documents import DocumentError
from passband.pipeline.errors import IntegrityError
from passband.pipeline.layout import MANIFEST, MANIFEST_SHA256
from passband.pipeline.manifest import read_manifest, readable_json, write_manifest
from passband.pipeline.seals import own_digest, put_sealed, read_sealed
from passband.pipeline.store import LocalStore, open_store
from tests.pipeline.manifests import manifest

OLD, NEW = manifest(), manifest(environment={"numpy": "3"})


class Killed(BaseException):
    """Stands for the end of the process."""


class DyingStore(LocalStore):
    """A folder whose process ends at the put number `last`, before or after it has its effect."""

    def __init__(self, folder, last, after):
        super().__init__(folder)
        self.left, self.after = last, after

    def put(self, name, content):
        self.left -= 1
        if self.left < 0 and not self.after:
            raise Killed
        super().put(name, content)
        if self.left < 0:
            raise Killed


def before_digests(store):
    store.put(MANIFEST, readable_json(OLD))


BEFORE = {
    "no manifest": lambda store: None,
    "one without a digest": before_digests,
    "one with a digest": lambda store: write_manifest(store, OLD),
    "a damaged one": lambda store: store.put(MANIFEST, b"{"),
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("last", range(3))
def test_a_kill_while_the_manifest_is_replaced_leaves_one_that_opens(tmp_path, before, last, after):
    BEFORE[before](LocalStore(tmp_path))
    with pytest.raises(Killed):
        write_manifest(DyingStore(tmp_path, last, after), NEW)
    store = LocalStore(tmp_path)
    replaced = (last, after) not in {(0, False), (0, True), (1, False)}
    if replaced:
        assert read_manifest(store).environment == {"numpy": "3"}
    elif before in ("no manifest", "a damaged one"):
        with pytest.raises(IntegrityError):
            read_manifest(store)
    else:
        assert read_manifest(store).environment == {"numpy": "2"}
    written = write_manifest(store, NEW)
    assert read_manifest(store) == written
    assert store.read(MANIFEST_SHA256).decode() == f"{written.digest}\n"


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return open_store(tmp_path if request.param == "local" else f"memory://{tmp_path.name}/set")


def refused(store):
    with pytest.raises(IntegrityError) as raised:
        read_manifest(store)
    return str(raised.value)


def test_what_is_written_is_read_with_its_digest(store):
    written = write_manifest(store, NEW)
    assert read_manifest(store) == written
    document = json.loads(store.read(MANIFEST))
    assert document["digest"] == own_digest(document) == store.read(MANIFEST_SHA256).decode().strip()


def test_writing_the_same_again_writes_nothing(tmp_path):
    write_manifest(LocalStore(tmp_path), NEW)
    write_manifest(DyingStore(tmp_path, 0, False), NEW)


def test_a_manifest_of_before_digests_is_read(store):
    store.put(MANIFEST, readable_json(OLD))
    assert read_manifest(store) == OLD


def test_neither_of_the_two_files_is_believed_alone(store):
    write_manifest(store, NEW)
    document, beside = json.loads(store.read(MANIFEST)), store.read(MANIFEST_SHA256)
    edited = document | {"environment": {}}
    store.put(MANIFEST, json.dumps(edited).encode())
    assert "was changed after it was written: its digest is" in refused(store)
    store.put(MANIFEST, json.dumps(edited | {"digest": own_digest(edited)}).encode())
    assert "does not stand in manifest.sha256" in refused(store)
    for none in ({"digest": None}, {}):
        cut = {key: value for key, value in document.items() if key != "digest"} | none
        store.put(MANIFEST, json.dumps(cut).encode())
        assert "carries no digest, but manifest.sha256 lies beside it" in refused(store)
    store.put(MANIFEST, json.dumps(document).encode())
    read_manifest(store)
    others = (b" " + beside, beside + b"\n", beside + b" ", beside[:-1], beside.upper(), beside * 3)
    for content in (b"", b"\n", beside[:-2], b"\xff" * 64, beside.replace(b"\n", b"0\n"), *others):
        store.put(MANIFEST_SHA256, content)
        assert "does not stand in manifest.sha256" in refused(store)
    store.delete(MANIFEST_SHA256)
    assert "manifest.sha256, which was written with it, is missing" in refused(store)


def test_another_datasets_pair_of_files_is_no_pair(store):
    write_manifest(store, OLD)
    beside = store.read(MANIFEST_SHA256)
    write_manifest(store, NEW)
    store.put(MANIFEST_SHA256, beside)
    assert "does not stand in manifest.sha256" in refused(store)


def test_a_manifest_that_is_replaced_while_it_is_read_is_read_again(tmp_path):
    """A reader may come between the two files of a run that goes on."""
    write_manifest(LocalStore(tmp_path), OLD)

    class Busy(LocalStore):
        def read(self, name):
            content = super().read(name)
            if name == MANIFEST and b'"numpy": "2"' in content:
                write_manifest(LocalStore(tmp_path), NEW)
            return content

    assert read_manifest(Busy(tmp_path)).environment == {"numpy": "3"}


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8")).filter(lambda key: key != "digest"),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**60), 2**60)
            | st.floats()
            | st.text(st.characters(codec="utf-8")),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=8,
        ),
        max_size=5,
    )
)
def test_a_sealed_document_is_read_as_it_was_written(document):
    store = open_store("memory://sealed")
    put_sealed(store, "a.json", document)
    assert json.dumps(read_sealed(store, "a.json", finite=False)) == json.dumps(document)


def test_no_edit_of_a_sealed_document_passes(tmp_path):
    store = LocalStore(tmp_path)
    put_sealed(store, "a.json", {"rows": [{"accuracy": 0.5}], "name": "a", "n": 3})
    whole = (tmp_path / "a.json").read_bytes()
    expected = read_sealed(store, "a.json")
    for position in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            (tmp_path / "a.json").write_bytes(damaged)
            with contextlib.suppress(DocumentError):  # or its spaces are others
                found = read_sealed(store, "a.json")
                assert found == expected or "digest" not in json.loads(damaged)
