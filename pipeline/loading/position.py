"""The position of a stream as JSON, and back."""

from typing import Any

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading.share import current_share


def write_position(epoch: int, samples: int, begun: int, options: dict[str, Any]) -> dict[str, Any]:
    """Return a position with what it holds for; that of a DataLoader's worker is of its share."""
    share = current_share()
    worker = {"worker": [share.number, share.of, begun]} if share.is_worker else {}
    return {"epoch": epoch, "samples": samples, **options, **worker}


def read_position(state: dict[str, Any], options: dict[str, Any], num_draws: int) -> tuple[int, int, int]:
    """Return epoch, draws done, and the draw from which workers count; raise PassbandError if it is of another."""
    for name, own in options.items():
        if name not in state or state[name] != own:
            given = repr(state[name]) if name in state else "nothing"
            raise PassbandError(f"the state is of another stream: its {name} is {given}, this one has {own!r}")
    epoch: Any = state.get("epoch")
    samples: Any = state.get("samples")
    require_count("epoch", epoch)
    require_count("samples", samples, num_draws)
    return epoch, samples, _begun(state["worker"], samples) if "worker" in state else samples


def require_count(name: str, value: Any, most: int | None = None) -> None:
    """Raise PassbandError unless `value` is an integer from 0, to `most` if that is given."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0 or (most is not None and value > most):
        allowed = "0 or more" if most is None else f"0 to {most}"
        raise PassbandError(f"{name} is {value!r}; it must be an integer, {allowed}")


def _begun(worker: Any, samples: int) -> int:
    """Return where the batches that workers share were counted from."""
    if not isinstance(worker, list) or len(worker) != 3:
        raise PassbandError(f"worker is {worker!r}; it must be a list of number, workers and first draw")
    number, of, begun = worker
    share = current_share()
    if not share.is_worker or (number, of) != (share.number, share.of):
        here = f"worker {share.number} of {share.of}" if share.is_worker else "no worker of a DataLoader"
        raise PassbandError(f"the state is of worker {number} of {of} of a DataLoader, and this is {here}")
    require_count("worker", begun, samples)
    return int(begun)
