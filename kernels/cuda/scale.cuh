// Amplitudes of single bins, scaled with their phases kept.
#pragma once
#include "common.cuh"

__device__ __forceinline__ float2 scaled(float2 bin, float factor) {
  float positive = fmaxf(factor, 0.0f);
  return make_float2(bin.x * positive, bin.y * positive);
}

// A step of `size` in the direction in which the loss grows, `towards` being the gradient's bin. In float64 both
// products are exact, so no order and no contraction can turn the sign of their sum.
__device__ __forceinline__ float2 ascended(float2 bin, float2 towards, float size) {
  double along = static_cast<double>(bin.x) * towards.x + static_cast<double>(bin.y) * towards.y;
  return scaled(bin, 1.0f + (along > 0.0 ? size : along < 0.0 ? -size : 0.0f));
}
