// Images of single frequencies. Legend: basis (F, area), images (N, C, area), out (M, C, area); one thread a value.
#include "common.cuh"
#include "elementary.cuh"

// cos(2 pi (i y / H + j x / W)) scale, the fraction of a turn reduced in integers.
extern "C" __global__ void fourier_basis(int height, int width, int i, int j, float scale, float* out) {
  index_t p = global_index(), area = static_cast<index_t>(height) * width;
  if (p >= area) return;
  index_t y = p / width, x = p % width, turn = (y * i * width + x * j * height) % area;
  out[p] = scale * cos_pi(2.0f * static_cast<float>(turn) / static_cast<float>(area));
}

extern "C" __global__ void add_basis(const float* images, const index_t* rows, const float* basis,
                                     const index_t* frequencies, const float* amplitudes, int channels, int area,
                                     index_t values, float* out) {
  index_t o = global_index();
  if (o >= values) return;
  index_t plane = o / area, p = o % area, m = plane / channels, c = plane % channels;
  out[o] = fmaf(amplitudes[plane], basis[frequencies[m] * area + p], images[(rows[m] * channels + c) * area + p]);
}
