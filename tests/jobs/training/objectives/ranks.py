"""What one process of several does in test_ranks; the same calls in one process are what it is compared with."""

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from passband.jobs.training.collective import rank, world_size
from passband.pipeline.loading import open_stream
from tests.jobs.training.objectives.made import make_batch, make_model, make_objective, part
from tests.jobs.training.objectives.test_contract import SAMPLES, prepared
from tests.jobs.training.objectives.test_two_stage import FIRST, QUICK, small_lenet

Case = tuple[str, dict[str, Any]]
CASES: list[Case] = [(name, options) for name, all_options in SAMPLES.items() for options in all_options]
PREPARATIONS: list[Case] = [("jtt", {"first": FIRST}), ("eiil", {"reference": FIRST, **QUICK})]
CUTS = (4, 11, 6, 0)
"""How many of the 11 samples of each step are the first process's; the second may have none, and so may the first."""


def run_steps(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return weights, metrics and state after a few steps on this process's part of each batch."""
    model, objective = make_model(5), prepared(name, options, clip_norm=3.0)
    start = make_model(5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    metrics: dict[str, torch.Tensor] = {}
    for seed, cut in enumerate(CUTS):
        batch = make_batch(11, seed=seed)
        batch.labels[4:] = start(batch.first).argmax(1)[4:]  # so that some samples lose confidence and some gain
        if world_size() == 2:
            batch = part(batch, slice(0, cut) if rank() == 0 else slice(cut, 11))
        metrics = dict(objective.step(model, optimizer, batch))
    return {"weights": model.state_dict(), "metrics": metrics, "state": objective.state_dict()}


def run_preparation(name: str, options: dict[str, Any], dataset: Path) -> dict[str, Any]:
    """Return the state that `prepare` leaves on a stored dataset."""
    objective = make_objective(name, options)
    size = 48 // world_size()
    with open_stream(dataset, batch_size=size, seed=2, rank=rank(), world_size=world_size(), workers=1) as stream:
        objective.prepare(small_lenet(), stream)
    return objective.state_dict()


def run_all(dataset: Path) -> dict[str, dict[str, Any]]:
    """Return the results of all cases, by their names."""
    steps = {str(case): run_steps(*case) for case in CASES}
    return steps | {f"prepare {case}": run_preparation(*case, dataset) for case in PREPARATIONS}


def one_of_two(number: int, folder: Path, dataset: Path) -> None:
    """Run all cases as process `number` of two, and save the results."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=number, world_size=2)
    try:
        torch.save(run_all(dataset), folder / f"{number}.pt")
    finally:
        dist.destroy_process_group()
