"""The networks that are trained here, and their checkpoints. torch is imported by the submodules alone."""
