"""How a key that is missing may look: one example for each key that some job needs."""

EXAMPLES = {
    "kind": "generate",
    "name": "mine",
    "source": "{kind: imagefolder, path: photos}",
    "source.kind": "imagefolder",
    "image": "{size: 224}",
    "image.size": "224",
    "views": "[clean, prime, {radial: {high: 8}}]",
    "output": "{uri: runs/mine}",
    "uri": "runs/mine",
    "path": "photos",
    "dct.size": "8",
    "dct.keep": "low",
    "svd.rank": "4",
    "svd.keep": "leading",
    "surrogate": "{network: resnet18, checkpoint: runs/training}",
    "surrogate.network": "resnet18",
    "checkpoint": "runs/training",
    "types": "[fog, snow]",
    "severity": "3",
    "corruption": "fog",
    "data": "{path: runs/dataset}",
    "network": "{kind: resnet18}",
    "network.kind": "resnet18",
    "objective": "{kind: erm}",
    "objective.kind": "erm",
    "watch.views": "[clean, low-8]",
    "stored.views": "[prime-1]",
    "test": "{path: runs/dataset}",
    "radius": "0.0157",
    "rho": "[0.1, 0.2]",
    "prior": "16",
    "batch": "64",
}
"""The last one or two parts of a key's path -> YAML."""


def example(path: str) -> str | None:
    """Return how a key may look, by its path as ``views[1].dct.size``; None where no job needs it."""
    parts = [part.partition("[")[0] for part in path.split(".")]
    return EXAMPLES.get(".".join(parts[-2:])) or EXAMPLES.get(parts[-1])
