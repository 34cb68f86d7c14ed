// Stored pixels (N, H, W, C) uint8 <-> images (N, C, H, W) float32: one thread a value, in the order of the output.
#include "pixel.cuh"

extern "C" __global__ void to_float(const unsigned char* pixels, int channels, int area, index_t values, float* images) {
  index_t i = global_index();
  if (i >= values) return;
  index_t plane = i / area, p = i % area, n = plane / channels, c = plane % channels;
  images[i] = __fdiv_rn(static_cast<float>(pixels[(n * area + p) * channels + c]), 255.0f);
}

extern "C" __global__ void to_uint8(const float* images, int channels, int area, index_t values, unsigned char* pixels,
                                    int* first_bad) {
  index_t i = global_index();
  if (i >= values) return;
  index_t pixel = i / channels, c = i % channels, n = pixel / area, p = pixel % area;
  float x = images[(n * channels + c) * area + p];
  note_bad(x, n, first_bad);
  pixels[i] = pixel_of(x);
}
