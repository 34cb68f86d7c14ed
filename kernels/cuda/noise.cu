// Noise of the common corruptions: one thread a value, one pass.
#include "common.cuh"

extern "C" __global__ void gaussian_noise(const float* images, const float* normals, float scale, index_t values,
                                          float* out) {
  index_t i = global_index();
  if (i < values) out[i] = __fadd_rn(images[i], __fmul_rn(scale, normals[i]));
}

// Words up to `last` strike; of those, words up to `salt` set the value to 1, the others to 0.
extern "C" __global__ void impulse_noise(const float* images, const unsigned* words, unsigned salt, unsigned last,
                                         index_t values, float* out) {
  index_t i = global_index();
  if (i >= values) return;
  unsigned word = words[i];
  out[i] = word > last ? images[i] : (word <= salt ? 1.0f : 0.0f);
}

// Poisson counts by table (kernels/poisson.py): where the count of a level steps up, searched from a guide on.
extern "C" __global__ void shot_noise(const float* images, const unsigned* words, const unsigned* steps,
                                      const int* starts, const int* least, const int* guide, float rate,
                                      index_t values, float* out) {
  index_t i = global_index();
  if (i >= values) return;
  int level = static_cast<int>(rint(static_cast<double>(clip_unit(images[i])) * 255.0));
  unsigned word = words[i];
  int place = guide[256 * level + (word >> 24)];
  while (steps[place] < word) ++place;
  out[i] = __fdiv_rn(static_cast<float>(least[level] + place - starts[level]), rate);
}
