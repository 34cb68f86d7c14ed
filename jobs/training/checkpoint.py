"""Checkpoints: all that a training must know to go on as if it had never stopped."""

import io
from collections.abc import Mapping
from typing import Any

import torch

from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.hashed import HashedFile, put_hashed, read_hashed
from passband.pipeline.layout import LAST_CHECKPOINT, SHA256_SUFFIX, kept_name
from passband.pipeline.networks.checkpoint import NetworkError
from passband.pipeline.networks.finite import find_non_finite
from passband.pipeline.networks.network import Network, network_bytes
from passband.pipeline.networks.safe import load_safely
from passband.pipeline.store import LocalStore

FORMAT = 1
_FINITE = ("network", "optimizer", "average")
"""What must be finite; an objective may keep -inf for a group that it has not seen."""
ADVICE = f"delete {LAST_CHECKPOINT} and {LAST_CHECKPOINT}{SHA256_SUFFIX} to begin the training anew"
"""What can be done about a checkpoint that is of no use."""


def non_finite(state: dict[str, Any]) -> str | None:
    """Return what in a state is not finite: "network.body.0.weight holds NaN"."""
    return find_non_finite({name: state.get(name) for name in _FINITE})


def save_checkpoint(store: LocalStore, state: dict[str, Any]) -> None:
    """Write `state` under its one name, its hash beside it; a crash at any byte leaves the checkpoint before."""
    put_hashed(store, LAST_CHECKPOINT, _content(state))


def _content(state: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save({"format": FORMAT} | state, buffer)
    return buffer.getvalue()


def keep_step(
    store: LocalStore, step: int, network: Network, average: Network | None, objective: Mapping[str, Any]
) -> None:
    """Keep networks as `load_network` reads them, and the objective's state where it has one, under a step's number."""
    put_hashed(store, kept_name(step, "model"), network_bytes(network))
    if average is not None:
        put_hashed(store, kept_name(step, "average"), network_bytes(average))
    if objective:
        put_hashed(store, kept_name(step, "objective"), _content({"objective": dict(objective)}))


def kept_objective(store: LocalStore, step: int) -> dict[str, Any]:
    """Return the state of the objective that was kept of a step, on the CPU.

    Raises
    ------
    PassbandError
        If it is damaged, or not there.
    """
    name = kept_name(step, "objective")
    if not store.exists(name):
        raise PassbandError(f"{store.uri}/{name}: is not there; keep it by output.keep_steps: [{step}]")
    found: dict[str, Any] = _state(read_hashed(store, name), f"{store.uri}/{name}")["objective"]
    return found


def load_checkpoint(store: LocalStore, identity: str) -> tuple[dict[str, Any], bool] | None:
    """Return the state of the last checkpoint, on the CPU, and whether a hash vouched for it; None before the first.

    Raises
    ------
    IntegrityError
        If it is damaged, not finite, or of another training than that of `identity`.
    """
    where = f"{store.uri}/{LAST_CHECKPOINT}"
    if not store.exists(LAST_CHECKPOINT):
        return None
    file = read_hashed(store, LAST_CHECKPOINT, ADVICE)
    state = _state(file, where)
    if state.get("identity", identity) != identity:
        raise IntegrityError(f"{where}: is of training {state['identity']}, not of {identity}; {ADVICE}")
    if (found := non_finite(state)) is not None:
        raise IntegrityError(f"{where}: {found}, so there is nothing to go on from; {ADVICE}")
    return state, file.recorded


def _state(file: HashedFile, where: str) -> dict[str, Any]:
    try:
        state = load_safely(file.content, where, hashed=file.recorded)
    except NetworkError as error:
        told = str(error).removeprefix(f"{where}: ")
        raise IntegrityError(f"{where}: cannot be read; {ADVICE}: {told}") from error
    if state.get("format") != FORMAT:
        raise IntegrityError(f"{where}: has format {state.get('format')!r}, this version reads {FORMAT}")
    return state
