// Operators on half spectra in global memory, between the FFTs of sides that have no fused kernel.
#include "common.cuh"

// Legend: spectra (planes, H, K), K = W / 2 + 1; `bins` of all planes; one thread a bin.
struct Bin {
  int u, v;
};

__device__ __forceinline__ Bin bin_of(index_t i, int height, int columns) {
  return {static_cast<int>(i / columns % height), static_cast<int>(i % columns)};
}

// Keep the squared distances from zero frequency that are least <= d^2 < most, in place.
extern "C" __global__ void keep_radius(float2* spectra, int height, int columns, int least, int most, index_t bins) {
  index_t i = global_index();
  if (i >= bins) return;
  Bin bin = bin_of(i, height, columns);
  int up = min(bin.u, height - bin.u), squared = up * up + bin.v * bin.v;
  if (squared < least || squared >= most) spectra[i] = make_float2(0.0f, 0.0f);
}
