"""The head that `cluster up` runs: private, and on loopback. That nothing of it is left is held by its fixture."""

import ipaddress
import stat
import time
from typing import Any

import psutil

from tests.jobs.cluster.heads import Head, commands


def test_it_listens_on_loopback_only(head: Head):
    # GCS, raylet (2), dashboard (2), client server, monitor, job agent (3), agent of environments; the last come late
    listening = sockets(head)
    give_up = time.monotonic() + 60
    while len(listening) < 11 and time.monotonic() < give_up:
        time.sleep(0.1)
        listening = sockets(head)
    assert len(listening) >= 6
    names = {process.name().split(":")[0] for process in head.processes()}
    assert {"gcs_server", "raylet"} <= names
    assert int(head.address.rpartition(":")[2]) in {connection.laddr.port for connection in listening}
    for connection in listening:
        address = ipaddress.ip_address(connection.laddr.ip)
        mapped = getattr(address, "ipv4_mapped", None)
        assert (mapped or address).is_loopback, connection


def sockets(head: Head) -> list[Any]:
    """What the head's processes listen on."""
    return [c for p in head.processes() for c in p.net_connections() if c.status == psutil.CONN_LISTEN]


def test_the_token_is_private_and_stands_nowhere_else(head: Head):
    assert stat.S_IMODE(head.token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(head.token_file.parent.stat().st_mode) == 0o700
    token = head.token_file.read_text()
    assert len(token) == 64
    processes = [psutil.Process(head.process.pid), *head.processes()]
    assert not [command for command in commands(processes) if token in " ".join(command)]
    folder = head.folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    holding = [path for path in files if token.encode() in path.read_bytes()]
    assert holding == [folder / "token"]  # by which the head's processes know it
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600


def test_a_second_one_on_its_port_is_refused_by_name(head: Head):
    port = head.address.rpartition(":")[2]
    status, _, err = head.passband("cluster", "up", "--dashboard-port", port)
    assert status == 1
    assert err == (
        f"passband: a cluster of yours runs at {head.address} (pid {head.process.pid}): "
        "use it, or give --dashboard-port\n"
    )
