"""How far samples were moved."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def l2_norms(changes: NDArray[Any]) -> NDArray[np.float64]:
    """Return the l2 norm of each sample's change, (N,) of (N, ...), summed in one order whatever the batch."""
    flat = changes.astype(np.float64).reshape(len(changes), int(np.prod(changes.shape[1:])))
    norms: NDArray[np.float64] = np.sqrt(np.cumsum(flat**2, axis=1)[:, -1])
    return norms
