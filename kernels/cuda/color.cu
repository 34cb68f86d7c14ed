// Smooth colour: a sine series of each value, summed by Clenshaw's recurrence in registers; one pass.
#include "common.cuh"
#include "color.cuh"

// Legend: images (N, C, area), coefficients (N, C, terms), first (N,); one thread a value.
extern "C" __global__ void smooth_color(const float* images, const float* coefficients, const int* first, int channels,
                                        int area, int terms, index_t values, float* out) {
  index_t i = global_index();
  if (i >= values) return;
  index_t plane = i / area;
  out[i] = color_value(images[i], coefficients + plane * terms, terms, first[plane / channels]);
}
