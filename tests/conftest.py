import signal
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from passband.jobs import cli
from passband.jobs.executors.ray_session import local_ray
from passband.kernels.cuda.device import Device, DeviceError, current, use
from tests.cuda_host.device import HostDevice
from tests.cuda_host.marks import HAS_COMPILER
from tests.syntax import uncollected


def pytest_configure() -> None:
    """Let Ctrl-C reach the processes of the tests where the run itself ignores it, as one in the background does."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a program that is started has the default then


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests of the CUDA kernels run on a GPU instead of on the CPU."""
    text = "what the CUDA kernels run on: this machine's CPU (default) or a GPU through CuPy"
    parser.addoption("--device", choices=["host", "cupy"], default="host", help=text)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Read the tests, whose assertions pytest parses anew."""
    with uncollected():
        return (yield)


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files over the processes of a test run; what uses a Ray, or is one, stays in one of them."""
    for item in items:
        uses_ray = "ray_session" in getattr(item, "fixturenames", ()) or item.path.parent.name == "cluster"
        starts_ray = item.path.name in ("test_deaths.py", "test_ray_session.py")
        item.add_marker(pytest.mark.xdist_group("ray" if uses_ray or starts_ray else str(item.path)))


@pytest.fixture(scope="session", autouse=True)
def drawn_cards() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Leave the pictures out of the cards of datasets, for they take longer than the rest; draw inside of this."""
    from passband.jobs.generation.card import page

    draw = page.draw

    @contextmanager
    def drawn() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(page, "draw", draw)
            yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "draw", lambda look, manifest: None)
        yield drawn


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread: networks this small only lose by waking more."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def passband(monkeypatch, capsys):
    """Call the command in this process: passband(*words) -> (exit status, stdout, stderr)."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["passband", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def device(request) -> Iterator[Device]:
    """The device of the CUDA kernels, by ``--device``."""
    if request.config.getoption("device") == "host":
        if not HAS_COMPILER:
            pytest.skip("the CUDA kernels need g++ on x86-64 to run on the CPU")
        with use(HostDevice()) as host:
            yield host
        return
    try:
        gpu = current()
    except DeviceError as error:
        pytest.skip(str(error))
    yield gpu


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """The one Ray of a test run, two workers wide; its GPUs are only numbers. No test may import ray before it."""
    with local_ray(2, num_gpus=2):
        yield


@pytest.fixture(scope="session")
def s3_server() -> Iterator[None]:
    """The one S3 server of a test run, on loopback; fsspec forgets what it knew of endpoints and credentials."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        yield
    server.stop()
