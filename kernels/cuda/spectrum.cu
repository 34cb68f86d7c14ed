// Operators on half spectra in global memory, between the FFTs of sides that have no fused kernel.
#include "amplitude.cuh"
#include "scale.cuh"

// Legend: spectra (planes, H, K), K = W / 2 + 1; `bins` of all planes; one thread a bin unless said.
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

// Give every bin its plane's mean amplitude, in place; bins below `share` of the largest have no phase. One block a plane.
extern "C" __global__ void flatten_amplitude(float2* spectra, int height, int width, float share) {
  DYNAMIC_SHARED(Total, of_warp);
  int columns = width / 2 + 1, bins = height * columns;
  float2* spectrum = spectra + static_cast<index_t>(blockIdx.x) * bins;
  Total own = {0.0f, 0.0f};
  for (int i = threadIdx.x; i < bins; i += blockDim.x)
    own.add(amplitude_of(spectrum[i]), times_in_full(i % columns, width));
  Total all = over_block(own, of_warp);
  float level = all.sum / (static_cast<float>(height) * width), floor = share * all.largest;
  for (int i = threadIdx.x; i < bins; i += blockDim.x) spectrum[i] = flattened(spectrum[i], level, floor);
}

extern "C" __global__ void scale_spectrum(const float2* spectra, const float* factors, index_t bins, float2* out) {
  index_t i = global_index();
  if (i < bins) out[i] = scaled(spectra[i], factors[i]);
}

// Legend: towards the spectra of gradients, sizes (H, K) = step size x sensitivity, `area` = H K.
extern "C" __global__ void ascend_spectrum(const float2* spectra, const float2* towards, const float* sizes, int area,
                                           index_t bins, float2* out) {
  index_t i = global_index();
  if (i < bins) out[i] = ascended(spectra[i], towards[i], sizes[i % area]);
}

// A copy whose first and, for an even width, last column are those of a real image: what their mirror images disagree
// about does not count in the real part of an inverse, but cuFFT leaves open what it makes of it.
extern "C" __global__ void symmetrize(const float2* spectra, int height, int width, index_t bins, float2* out) {
  index_t i = global_index();
  if (i >= bins) return;
  int columns = width / 2 + 1;
  Bin bin = bin_of(i, height, columns);
  float2 own = spectra[i];
  if (bin.v == 0 || 2 * bin.v == width) {
    float2 other = spectra[i + (static_cast<index_t>((height - bin.u) % height) - bin.u) * columns];
    own = make_float2(0.5f * (own.x + other.x), 0.5f * (own.y - other.y));
  }
  out[i] = own;
}
