// Smooth colour: a sine series of each value, summed by Clenshaw's recurrence in registers; one pass.
#include "common.cuh"
#include "color.cuh"

// Legend: images (N, C, area), coefficients (N, C, terms), first (N,); `runs` blocks share a plane.
extern "C" __global__ void smooth_color(const float* images, const float* coefficients, const int* first, int channels,
                                        int area, int terms, int runs, float* out) {
  index_t plane = blockIdx.x / runs;
  color_plane(out + plane * area, images + plane * area, area, blockIdx.x % runs, coefficients + plane * terms,
              first[plane / channels], terms);
}
