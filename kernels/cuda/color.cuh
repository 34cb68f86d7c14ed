// One value's smooth colour.
#pragma once
#include "elementary.cuh"

#define COLOR_SEGMENT 100  // terms of one recurrence: rounding grows with the square of its length

// clip(x + sum_d a_d sin(pi (first + d) x)). sum_d a_d phi_d = b_0 phi_0 - b_1 phi_{-1}, phi_d = sin(pi (first + d) x).
__device__ __forceinline__ float color_value(float x, const float* a, int terms, int first) {
  float twice = 2.0f * cos_pi(x), total = x;
  for (int segment = 0; segment < terms; segment += COLOR_SEGMENT) {
    float next = 0.0f, after = 0.0f;
    for (int d = min(COLOR_SEGMENT, terms - segment) - 1; d >= 0; --d) {
      float sum = fmaf(twice, next, a[segment + d] - after);
      after = next;
      next = sum;
    }
    float k = static_cast<float>(first + segment);
    total = fmaf(next, sin_pi_product(k, x), total);
    if (k != 1.0f) total = fmaf(-after, sin_pi_product(k - 1.0f, x), total);  // else sin(0)
  }
  return clip_unit(total);
}
