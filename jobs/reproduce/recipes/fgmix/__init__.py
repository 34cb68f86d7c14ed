"""FGMix on domains of digits, of which one is left out: its tables 1, 2 and C.3 and its figures 5 and 6."""

from passband.jobs.reproduce.recipes.fgmix.recipe import fgmix

__all__ = ["fgmix"]
