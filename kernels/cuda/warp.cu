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
