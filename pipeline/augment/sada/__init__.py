"""Stage `sada`: spectral adversarial views. Only `attack` and what it calls import torch, when a view is made."""

from passband.pipeline.augment.sada.stage import Sada

__all__ = ["Sada"]
