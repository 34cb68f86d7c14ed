"""SADA on digits (Zhang et al. 2023): its recipes, its ablations, and what maps say of accuracy on unseen domains."""

from passband.jobs.reproduce.recipes.digits.recipe import digits

__all__ = ["digits"]
