// Weighted sums of chains, one thread a value, in the order of the chains.
// Legend: chains (M, N, size), weights (N, M), out (N, size).
#include "common.cuh"

extern "C" __global__ void mix(const float* chains, const float* weights, int width, index_t size, index_t values,
                               float* out) {
  index_t i = global_index();
  if (i >= values) return;
  const float* weight = weights + i / size * width;
  float total = 0.0f;
  for (int m = 0; m < width; ++m) total = fmaf(weight[m], chains[m * values + i], total);
  out[i] = total;
}
