"""The training objectives. A new one is a file of its own and a line in `OBJECTIVES`."""

from passband.jobs.training.objectives.adversarial import Adversarial
from passband.jobs.training.objectives.base import Metrics, Objective, ObjectiveOptions, Setting
from passband.jobs.training.objectives.coral import Coral
from passband.jobs.training.objectives.eiil import Eiil
from passband.jobs.training.objectives.erm import Erm
from passband.jobs.training.objectives.fgmix import FgMix
from passband.jobs.training.objectives.group_dro import GroupDro
from passband.jobs.training.objectives.irm import Irm
from passband.jobs.training.objectives.jsd import Jsd
from passband.jobs.training.objectives.jtt import Jtt
from passband.jobs.training.objectives.manifold_mixup import ManifoldMixup
from passband.jobs.training.objectives.mixup import Mixup
from passband.jobs.training.objectives.sam import Sam
from passband.jobs.training.objectives.sharpdro import SharpDro
from passband.jobs.training.objectives.vrex import Vrex

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
    "adversarial": Adversarial,
    "mixup": Mixup,
    "manifold_mixup": ManifoldMixup,
    "coral": Coral,
    "fgmix": FgMix,
}

__all__ = ["OBJECTIVES", "Metrics", "Objective", "ObjectiveOptions", "Setting"]
