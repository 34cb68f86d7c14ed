"""The training objectives. A new one is a file of its own and a line in `OBJECTIVES`."""

from jobs.training.objectives.base import Metrics, Objective, ObjectiveOptions, Setting
from jobs.training.objectives.erm import Erm

OBJECTIVES: dict[str, type[Objective]] = {
    "erm": Erm,
}

__all__ = ["OBJECTIVES", "Metrics", "Objective", "ObjectiveOptions", "Setting"]
