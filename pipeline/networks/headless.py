"""A classifier without its last layer: what embeds images."""

import copy

from torch import nn

from passband.pipeline.networks.checkpoint import NetworkError


def headless(network: nn.Module) -> nn.Module:
    """Return the network without its last linear layer, whose input it answers with: (N, D) for (N, classes).

    Weights and buffers are those of `network` itself, not copies.

    Raises
    ------
    NetworkError
        If no linear layer ends it.
    """
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise NetworkError("the network does not end in a linear layer, so it has no embedding; choose another network")
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    body = copy.deepcopy(network, shared)
    body.set_submodule(names[-1], nn.Identity())
    return body
