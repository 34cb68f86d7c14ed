// Amplitudes and phases of half spectra, and what is drawn for them. Legend: spectra (planes, H, K), one thread a bin.
#include "common.cuh"

extern "C" __global__ void to_polar(const float2* spectra, index_t bins, float* amplitudes, float* phases) {
  index_t i = global_index();
  if (i >= bins) return;
  float2 bin = spectra[i];
  amplitudes[i] = sqrtf(fmaf(bin.x, bin.x, bin.y * bin.y));
  phases[i] = atan2f(bin.y, bin.x);
}

extern "C" __global__ void from_polar(const float* amplitudes, const float* phases, index_t bins, float2* spectra) {
  index_t i = global_index();
  if (i >= bins) return;
  float amplitude = amplitudes[i], sine, cosine;
  sincosf(phases[i], &sine, &cosine);
  spectra[i] = make_float2(amplitude * cosine, amplitude * sine);
}

// Re(exp(-iP) F) scale.
extern "C" __global__ void project(const float2* spectra, const float* phases, float scale, index_t bins, float* out) {
  index_t i = global_index();
  if (i >= bins) return;
  float2 bin = spectra[i];
  float sine, cosine;
  sincosf(phases[i], &sine, &cosine);
  out[i] = scale * fmaf(bin.x, cosine, bin.y * sine);
}

// Legend: sizes (H, K) = step size x sensitivity, `area` = H K.
extern "C" __global__ void amplitude_step(const float* amplitudes, const float* gradients, const float* sizes, int area,
                                          index_t bins, float* out) {
  index_t i = global_index();
  if (i >= bins) return;
  float gradient = gradients[i], size = sizes[i % area];
  float factor = 1.0f + (gradient > 0.0f ? size : gradient < 0.0f ? -size : 0.0f);
  out[i] = fmaxf(0.0f, amplitudes[i] * factor);
}

// (U + mirror(U)) / 2 of uniforms limit (2 (word + 1/2) / 2^32 - 1); words (planes, H, W).
extern "C" __global__ void symmetric_noise(const unsigned* words, int height, int width, float scale, index_t bins,
                                           float* noise) {
  index_t i = global_index();
  if (i >= bins) return;
  int columns = width / 2 + 1, v = static_cast<int>(i % columns), u = static_cast<int>(i / columns % height);
  const unsigned* plane = words + i / columns / height * height * width;
  unsigned here = plane[static_cast<index_t>(u) * width + v];
  unsigned there = plane[static_cast<index_t>((height - u) % height) * width + (width - v) % width];
  long long sum = static_cast<long long>(here) + there - 0xFFFFFFFFll;  // exact, and rounded only once
  noise[i] = static_cast<float>(sum) * scale;
}

// -1 where a word's highest bit is set; in a column that is its own mirror image the upper of two rows decides.
extern "C" __global__ void symmetric_signs(const unsigned* words, int height, int width, index_t bins, float* signs) {
  index_t i = global_index();
  if (i >= bins) return;
  int columns = width / 2 + 1, v = static_cast<int>(i % columns), u = static_cast<int>(i / columns % height);
  int mirrored = (height - u) % height;
  index_t source = (v == 0 || 2 * v == width) && mirrored < u ? i + (static_cast<index_t>(mirrored) - u) * columns : i;
  signs[i] = words[source] >> 31 ? -1.0f : 1.0f;
}
