"""How the samples of a dataset are stored, a folder a format; DESIGN.md says how they reach the disk."""
