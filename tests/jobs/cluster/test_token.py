"""Where the token is looked for, what is refused, and what is no address. Ray is not imported for any of it."""

import stat
import sys

import pytest

from jobs.cluster.client import Client, UnreachableError
from jobs.cluster.state import ClusterError
from jobs.cluster.token import find_token, make_token


@pytest.fixture
def token(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    return make_token(tmp_path / "passband" / "token")


def test_a_token_is_made_once_and_found(token, tmp_path, monkeypatch):
    secret = token.read_text()
    assert len(secret) == 64
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert make_token(token).read_text() == secret
    assert find_token(None) == token
    other = make_token(tmp_path / "other" / "token")
    assert other.read_text() != secret
    assert find_token(other) == other
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(other))
    assert find_token(None) == other
    assert find_token(token) == token


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda token: token.unlink(),
            "no token file {token} (No such file or directory): `passband cluster up` makes",
        ),
        (lambda token: token.chmod(0o644), "the token file {token} is open to others (mode 0644): chmod 600 {token}"),
        (lambda token: token.write_text(""), "the token file {token} is empty"),
    ],
    ids=["missing", "open", "empty"],
)
def test_a_token_file_that_will_not_do_is_told(token, spoil, message):
    spoil(token)
    with pytest.raises(ClusterError) as error:
        find_token(None)
    assert message.format(token=token) in str(error.value)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8265", "ray://127.0.0.1:10001", "http://", "http://host", "http://host:port", "http://me@host:1", ""],
)
def test_what_is_no_address_is_refused(token, address):
    with pytest.raises(ClusterError, match="is no address of a cluster's job server: http://HOST:PORT"):
        Client(address, token)


def test_an_address_where_nothing_answers_is_told(token):
    before = set(sys.modules)
    with pytest.raises(UnreachableError, match="no cluster answers at http://127.0.0.1:1"):
        Client("http://127.0.0.1:1", token)
    assert not {name for name in set(sys.modules) - before if name.partition(".")[0] == "ray"}
