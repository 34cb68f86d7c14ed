// Bilinear warps: one thread a pixel, all its channels.
// Legend: source and target (N, C, H, W); member g of a group is sample rows[g]; displacement (G, 2, H, W): dy, dx.
#include "common.cuh"
#include "warp.cuh"

extern "C" __global__ void warp(const float* source, const int* rows, const float* displacement, int channels,
                                int height, int width, index_t pixels, int clip, float* target) {
  index_t i = global_index();
  if (i >= pixels) return;
  int area = height * width, p = static_cast<int>(i % area);
  index_t g = i / area, first = static_cast<index_t>(rows[g]) * channels * area;
  const float* field = displacement + 2 * g * area;
  Corner at = locate(static_cast<float>(p / width) - field[p], static_cast<float>(p % width) - field[area + p], height,
                     width);
  for (int c = 0; c < channels; ++c) {
    float value = bilinear(source + first + static_cast<index_t>(c) * area, at, height, width);
    target[first + static_cast<index_t>(c) * area + p] = clip ? clip_unit(value) : value;
  }
}

// Bring a coordinate to 0 .. size - 1 by reflections (ba|abc|cb if `twice`, where the last pixel stands twice, else
// cb|abc|ba), in float64: it may lie many images away.
__device__ __forceinline__ float fold(double at, int size, int twice, int* before) {
  double shift = twice ? 0.5 : 0.0, period = twice ? 2.0 * size : 2.0 * max(1, size - 1);
  at += shift;
  at -= period * floor(at / period);
  at = fmin(fmax(fmin(at, period - at) - shift, 0.0), static_cast<double>(size - 1));
  *before = min(static_cast<int>(at), max(size - 2, 0));
  return static_cast<float>(at - *before);
}

extern "C" __global__ void warp_reflected(const float* images, const float* displacement, int channels, int height,
                                          int width, index_t pixels, int twice, float* out) {
  index_t i = global_index();
  if (i >= pixels) return;
  int area = height * width, p = static_cast<int>(i % area);
  index_t n = i / area;
  const float* field = displacement + 2 * n * area;
  Corner at;
  at.fy = fold(p / width - static_cast<double>(field[p]), height, twice, &at.top);
  at.fx = fold(p % width - static_cast<double>(field[area + p]), width, twice, &at.left);
  for (index_t plane = n * channels; plane < (n + 1) * channels; ++plane)
    out[plane * area + p] = bilinear(images + plane * area, at, height, width);
}
