"""A small network that was trained on real digits, for what attacks one."""

from functools import cache

import numpy as np
import torch

from passband.kernels import cpu
from passband.pipeline.networks.network import NetworkSpec, build_network, network_bytes
from passband.pipeline.sources import SOURCES

SHAPE = (3, 16, 16)
CLASSES = [str(digit) for digit in range(10)]


def digits(split):
    """Return the images of a split at twice their size, and their labels."""
    source = SOURCES["digits"](SOURCES["digits"].Options(split=split))
    entries = list(source.entries())
    pixels = np.stack([np.asarray(source.decode(encoded)) for encoded in source.read(entries)])
    images = cpu.to_float(np.ascontiguousarray(pixels.repeat(2, axis=1).repeat(2, axis=2)))
    return images, np.array([entry.label for entry in entries])


@cache
def trained_lenet():
    """Return the checkpoint of a LeNet after six epochs on real digits, computed with one thread of torch."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return network_bytes(_trained())
    finally:
        torch.set_num_threads(threads)


def _trained():
    images, labels = (torch.from_numpy(array) for array in digits("train"))
    spec = NetworkSpec(kind="lenet", shape=list(SHAPE), classes=CLASSES, mean=[0.3] * 3, std=[0.35] * 3)
    network = build_network(spec, seed=0).train()
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(6):
        for rows in torch.randperm(len(images), generator=order).split(32):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(images[rows]), labels[rows]).backward()
            optimizer.step()
    return network
