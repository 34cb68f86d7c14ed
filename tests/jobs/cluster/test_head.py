"""The head that `cluster up` runs: private, and on loopback. That nothing of it is left is held by its fixture."""

import ipaddress
import json
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from passband.jobs.cluster.head import free_ports
from tests.jobs.cluster.heads import Head, alive, commands, job_file, running, shards, wait_for, without_token

LOST = {"command": "ray.scripts.scripts", "gcs": "/gcs_server", "raylet": "/raylet"}
"""What the command lines of a head's processes hold."""
OPEN = {"/", "/api/authentication_mode", "/api/gcs_healthz", "/api/healthz", "/api/local_raylet_healthz"}
"""Paths that answer without the token, as the module's text says: that it runs, and that a token is asked for."""


def test_it_listens_on_loopback_only_and_every_port_asks_for_the_token(head: Head):
    # GCS, raylet (2), dashboard, client server, agent (2) and agent of environments; the last come late
    wait_for(lambda: len(sockets(head)) >= 8)
    wait_for(lambda: {"ray::DashboardAgent", "ray::RuntimeEnvAgent"} <= titles(head))
    listening = sockets(head)
    assert {"gcs_server", "raylet"} <= titles(head)
    for connection in listening:
        address = ipaddress.ip_address(connection.laddr.ip)
        mapped = getattr(address, "ipv4_mapped", None)
        assert (mapped or address).is_loopback, connection
    ports = {connection.laddr.port for connection in listening}
    assert int(head.address.rpartition(":")[2]) in ports
    answering = without_token(ports)
    assert answering.keys() == ports
    assert {port: set(found) - OPEN for port, found in answering.items() if set(found) - OPEN} == {}
    assert set.union(*map(set, answering.values())) == OPEN  # each was asked


def test_no_two_free_ports_are_the_same():
    # Ray refuses two alike; of 500 that are let go one by one, two are alike in 999 of 1,000 runs
    assert len(set(free_ports(*[0] * 500))) == 500


def titles(head: Head) -> set[str]:
    return {words[0].rpartition("/")[2] for words in commands(head.processes()) if words}


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


@pytest.mark.slow
def test_a_second_one_on_its_port_is_refused_by_name(head: Head):
    port = head.address.rpartition(":")[2]
    status, _, err = head.passband("cluster", "up", "--dashboard-port", port)
    assert status == 1
    assert err == (
        f"passband: a cluster of yours runs at {head.address} (pid {head.process.pid}): "
        "use it, or give --dashboard-port\n"
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "lost",
    [
        pytest.param("cluster up", marks=pytest.mark.slow),
        *(pytest.param(name, marks=pytest.mark.campaign) for name in LOST),
    ],
)
def test_a_head_that_is_lost_leaves_nothing_behind(tmp_path, lost):
    """Of the processes that a head is made of, one is killed while a job runs there."""
    with tempfile.TemporaryDirectory(prefix="pb", dir="/tmp") as temporary:
        with running(tmp_path / "state", TMPDIR=temporary) as head:
            views = ["clean", {"prime": {"preset": "cifar"}, "copies": 30}]
            job = head.submit(job_file(tmp_path, "long", split="train", views=views), "--workers", 1, TMPDIR=temporary)
            wait_for(lambda: shards(tmp_path / "long") >= 1, 600)
            assert head.folder().parent == Path(temporary)
            processes = head.processes()
            if lost == "cluster up":
                head.process.kill()
            else:
                next(p for p in processes if any(word.endswith(LOST[lost]) for word in p.cmdline()[:4])).kill()
            out, err = head.process.communicate(timeout=120)
            assert err == ""
            if lost != "cluster up":
                told = json.loads(out.splitlines()[-1])
                assert told["event"] == "error"
                assert re.fullmatch(
                    r"the cluster's head ended by itself \(status -?\d+\); its jobs .*", told["message"]
                )
            wait_for(lambda: not alive(processes))
            wait_for(lambda: not os.listdir(temporary))
            assert head.status(job)["state"] == "lost"
