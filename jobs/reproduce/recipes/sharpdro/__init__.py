"""SharpDRO on training sets that are corrupted themselves: its tables 1 to 3 and its figures 3 to 6."""

from passband.jobs.reproduce.recipes.sharpdro.given import GIVEN
from passband.jobs.reproduce.recipes.sharpdro.recipe import sharpdro

__all__ = ["GIVEN", "sharpdro"]
