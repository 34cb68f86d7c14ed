"""How a gradient goes back through max pooling and the convolution before it, at the few places that it reaches."""

import numpy as np

from passband.kernels.cpu.compile import fma, kernel
from passband.kernels.cpu.vectors import load8, spread8, store


@kernel
def list_places(sources, targets, ends, pooled, chosen, shape, planar):
    """List which pooled values a gradient passes, and where it comes to in the convolution's input.

    Parameters
    ----------
    sources, targets : (N, K * P) int32
        Of each value that is not zero: its index among the K * P of a sample, and where the convolution's window
        begins in the sample's input, (H, W, C); channel by channel.
    ends : (N, K) int32
        How many are listed of a sample when a channel is done.
    pooled : (N, K, P) float32
        Values of a convolution, rectified and pooled.
    chosen : (N, K, P) int64
        Where in the convolution's output, (H - R + 1) x (W - S + 1), each stood.
    shape : (H, W, C, S)
    planar : bool
        Whether gradients come as (K, P), or as (P, K).
    """
    width, channels, columns = shape[1:]
    inner = width - columns + 1
    for n in range(pooled.shape[0]):
        count = 0
        for k in range(pooled.shape[1]):
            for p in range(pooled.shape[2]):
                y = chosen[n, k, p] // inner
                x = chosen[n, k, p] - y * inner
                sources[n, count] = k * pooled.shape[2] + p if planar else p * pooled.shape[1] + k
                targets[n, count] = (y * width + x) * channels
                count += pooled[n, k, p] > 0
            ends[n, k] = count


@kernel
def scatter_pooled(out, gradients, sources, targets, ends, weights, pitch):
    """Write the gradient by a convolution's input, of stride 1 and no padding, whose output is rectified and pooled.

    Parameters
    ----------
    out : (N * H * W * C + 8,) float32
        Of (N, H, W, C) in this order; eight more, which are overwritten.
    gradients : (N, K * P) float32
        By the pooled values.
    sources, targets, ends :
        Of `list_places`.
    weights : (K, R, L) float32
        Of each output channel R rows of S * C, in the order (S, C), then zeros to a multiple of 8.
    pitch : W * C
    """
    rows, length = weights.shape[1], weights.shape[2]
    area, taps = (out.size - 8) // len(gradients), weights.reshape(-1)
    out[:] = np.float32(0)
    for n in range(len(gradients)):
        first = 0
        for k in range(ends.shape[1]):
            for i in range(first, ends[n, k]):
                factor = spread8(gradients[n, sources[n, i]])
                target, source = n * area + targets[n, i], k * rows * length
                for _ in range(rows):
                    for at in range(0, length, 8):
                        store(out, target + at, fma(factor, load8(taps, source + at), load8(out, target + at)))
                    source += length
                    target += pitch
            first = ends[n, k]
