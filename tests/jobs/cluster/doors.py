"""What answers without a token: ``python -m tests.jobs.cluster.doors PORT ...`` prints it as JSON, port by port.

Every method of every service of Ray that its package describes is called, and the paths of its servers of HTTP. A port
that refuses no call at all, and so shows no sign of asking for a token, is told as such.
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException

import grpc
import ray.core.generated

PATHS = (
    "/", "/metrics", "/api/version", "/api/jobs/", "/api/packages/gcs/x.zip", "/api/v0/tasks", "/api/cluster_status",
    "/api/job_agent/jobs/x/logs", "/nodes?view=summary", "/logs", "/events", "/worker/traceback", "/task/cpu_profile",
    "/get_or_create_runtime_env", "/api/healthz", "/api/gcs_healthz", "/api/local_raylet_healthz",
    "/api/authentication_mode",
)  # fmt: skip
UNDESCRIBED = ("/ray.rpc.ObjectManagerService/Push", "/ray.rpc.ObjectManagerService/Pull")
NOTHING = "nothing here asks for a token"


def methods() -> Iterator[str]:
    yield from UNDESCRIBED
    for module in pkgutil.iter_modules(ray.core.generated.__path__):
        if module.name.endswith("_pb2"):
            described = importlib.import_module(f"ray.core.generated.{module.name}").DESCRIPTOR
            for service in described.services_by_name.values():
                yield from (f"/{service.full_name}/{method.name}" for method in service.methods)


def http(port: int) -> tuple[list[str], bool]:
    """Return the paths that answer, and whether any asks for a token; raise where it is no server of HTTP."""
    opened, refused = [], False
    for path in PATHS:
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        refused = refused or status == 401
        if status < 400:
            opened.append(path)
    return opened, refused


def rpc(port: int) -> tuple[list[str], bool]:
    """Return the methods that answer, in whatever way but by a refusal, and whether any asks for a token."""
    opened, refused = [], False
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for method in methods():
            call = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
            try:
                call(b"", timeout=20)
                opened.append(method)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                    refused = True
                elif error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    opened.append(f"{method}: {error.code().name}")
    return opened, refused


def answers(port: int) -> list[str]:
    try:
        opened, refused = http(port)
    except (HTTPException, OSError):
        opened, refused = rpc(port)
    return opened if refused else [*opened, NOTHING]


if __name__ == "__main__":
    print(json.dumps({int(port): answers(int(port)) for port in sys.argv[1:]}))
