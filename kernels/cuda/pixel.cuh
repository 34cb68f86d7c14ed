// One stored value of an image.
#pragma once
#include "common.cuh"

// Half to even of clip(x, 0, 1) * 255. In float64 the product of a float32 and 255 is exact: nothing is rounded twice.
__device__ __forceinline__ unsigned char pixel_of(float x) {
  return static_cast<unsigned char>(rint(static_cast<double>(clip_unit(x)) * 255.0));
}

// `first_bad` starts at the number of samples and ends at the first that has a value which is not finite.
__device__ __forceinline__ void note_bad(float x, index_t sample, int* first_bad) {
  if (!isfinite(x)) atomicMin(first_bad, static_cast<int>(sample));
}
