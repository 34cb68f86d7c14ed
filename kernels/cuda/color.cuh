// Smooth colour of several values at once: each coefficient is loaded once for all of them.
#pragma once
#include "elementary.cuh"

#define COLOR_SEGMENT 100  // terms of one recurrence: rounding grows with the square of its length

// Add sum_d a_d sin(pi (from + d) x) for each x, by Clenshaw's recurrence. With phi_d = sin(pi (from + d) x), the sum
// is b_0 phi_0 - b_1 phi_{-1}.
template <int COUNT>
__device__ __forceinline__ void add_sines(float (&total)[COUNT], const float (&x)[COUNT], const float* a, int from,
                                          int terms) {
  float twice[COUNT], next[COUNT] = {}, after[COUNT] = {};
#pragma unroll
  for (int i = 0; i < COUNT; ++i) twice[i] = 2.0f * cos_pi(x[i]);
  for (int d = terms - 1; d >= 0; --d) {
    float coefficient = a[d];
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
      float sum = fmaf(twice[i], next[i], coefficient - after[i]);
      after[i] = next[i];
      next[i] = sum;
    }
  }
  float k = static_cast<float>(from);
#pragma unroll
  for (int i = 0; i < COUNT; ++i) {
    total[i] = fmaf(next[i], sin_pi_product(k, x[i]), total[i]);
    if (from != 1) total[i] = fmaf(-after[i], sin_pi_product(k - 1.0f, x[i]), total[i]);  // else sin(0)
  }
}

#define COLOR_VALUES 4  // of a thread, one from each of so many runs of a block's threads

// Color what is at `source` of a plane into `target`; the block is number `run` of those that share the plane.
__device__ __forceinline__ void color_plane(float* target, const float* source, int area, int run, const float* a,
                                            int from, int terms) {
  int first = run * COLOR_VALUES * blockDim.x + threadIdx.x;
  float x[COLOR_VALUES], total[COLOR_VALUES];
#pragma unroll
  for (int i = 0; i < COLOR_VALUES; ++i) {
    int p = first + i * blockDim.x;
    total[i] = x[i] = p < area ? source[p] : 0.0f;
  }
  for (int segment = 0; segment < terms; segment += COLOR_SEGMENT)
    add_sines(total, x, a + segment, from + segment, min(COLOR_SEGMENT, terms - segment));
#pragma unroll
  for (int i = 0; i < COLOR_VALUES; ++i) {
    int p = first + i * blockDim.x;
    if (p < area) target[p] = clip_unit(total[i]);
  }
}
