"""Where the token is looked for, what is refused, and what is no address. Ray is not imported for any of it."""

import os
import pwd
import stat
import sys

import pytest

from passband.jobs.cluster.client import Client, UnreachableError
from passband.jobs.cluster.state import ClusterError
from passband.jobs.cluster.token import find_token, make_token


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


def test_a_token_file_of_another_user_is_refused_by_name(token, monkeypatch):
    owner = pwd.getpwuid(token.stat().st_uid).pw_name
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    line = f"the token file {token} belongs to another user ({owner}): copy it into a file of your own"
    for ask in (lambda: find_token(None), lambda: make_token(token)):  # of `submit` and of `cluster up`
        with pytest.raises(ClusterError) as error:
            ask()
        assert str(error.value) == line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
@pytest.mark.parametrize("linked", [False, True])
def test_a_token_file_in_a_folder_of_another_user_is_refused(token, tmp_path, linked):
    named = token
    if linked:
        named = tmp_path / "link"
        named.symlink_to(token)
    os.chown(token.parent, 4242, -1)
    with pytest.raises(ClusterError) as error:
        find_token(named)
    assert str(error.value) == (
        f"the folder {token.parent} of the token file belongs to another user (4242): keep it in a folder of your own"
    )
    os.chown(token.parent, 0, -1)
    assert find_token(named) == named


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
