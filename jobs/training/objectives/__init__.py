"""The training objectives. A new one is a file of its own and a line in `OBJECTIVES`."""

from jobs.training.objectives.base import Metrics, Objective, ObjectiveOptions, Setting
from jobs.training.objectives.eiil import Eiil
from jobs.training.objectives.erm import Erm
from jobs.training.objectives.group_dro import GroupDro
from jobs.training.objectives.irm import Irm
from jobs.training.objectives.jsd import Jsd
from jobs.training.objectives.jtt import Jtt
from jobs.training.objectives.sam import Sam
from jobs.training.objectives.sharpdro import SharpDro
from jobs.training.objectives.vrex import Vrex

OBJECTIVES: dict[str, type[Objective]] = {
    "erm": Erm,
    "jsd": Jsd,
    "group_dro": GroupDro,
    "irm": Irm,
    "vrex": Vrex,
    "jtt": Jtt,
    "eiil": Eiil,
    "sam": Sam,
    "sharpdro": SharpDro,
}

__all__ = ["OBJECTIVES", "Metrics", "Objective", "ObjectiveOptions", "Setting"]
