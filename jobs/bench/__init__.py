"""Measuring: augmentation by stage, preset and size, and training that augments or streams what is stored."""
