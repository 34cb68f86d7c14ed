// The phase-only rule of kernels/reference/frequency.py for one bin of a half spectrum.
#pragma once
#include "reduce.cuh"

__device__ __forceinline__ float amplitude_of(float2 bin) { return sqrtf(fmaf(bin.x, bin.x, bin.y * bin.y)); }

// How often a column of a half spectrum stands in the full one: its mirror image, where that is another column.
__device__ __forceinline__ float times_in_full(int v, int width) { return v == 0 || 2 * v == width ? 1.0f : 2.0f; }

// A bin with amplitude `level` and its own phase; one that has no phase counts as real and positive.
__device__ __forceinline__ float2 flattened(float2 bin, float level, float floor) {
  float amplitude = amplitude_of(bin);
  if (amplitude <= floor) return make_float2(level, 0.0f);
  float scale = level / amplitude;
  return make_float2(bin.x * scale, bin.y * scale);
}
