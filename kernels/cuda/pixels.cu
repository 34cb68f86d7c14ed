// Stored pixels (N, H, W, C) uint8 <-> images (N, C, H, W) float32: one thread a value, in the order of the output.
#include "common.cuh"

extern "C" __global__ void to_float(const unsigned char* pixels, int channels, int area, index_t values, float* images) {
  index_t i = global_index();
  if (i >= values) return;
  index_t plane = i / area, p = i % area, n = plane / channels, c = plane % channels;
  images[i] = __fdiv_rn(static_cast<float>(pixels[(n * area + p) * channels + c]), 255.0f);
}

// `first_bad` starts at the number of samples and ends at the first that has a value which is not finite.
extern "C" __global__ void to_uint8(const float* images, int channels, int area, index_t values, unsigned char* pixels,
                                    int* first_bad) {
  index_t i = global_index();
  if (i >= values) return;
  index_t pixel = i / channels, c = i % channels, n = pixel / area, p = pixel % area;
  float x = images[(n * channels + c) * area + p];
  if (!isfinite(x)) atomicMin(first_bad, static_cast<int>(n));
  // In float64 the product of a float32 and 255 is exact, so nothing is rounded twice.
  pixels[i] = static_cast<unsigned char>(rint(static_cast<double>(clip_unit(x)) * 255.0));
}
