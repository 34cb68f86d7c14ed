// PRIME's steps for images of any size, each one launch over the images that take it at this time.
// Legend: source and target (N, C, H, W); steps (G,), one a member of the group; images of source that are in no group
// are not touched. What is drawn has a leading G.
#include "common.cuh"
#include "color.cuh"
#include "prime_step.cuh"

// (G, K, K): one thread a block of four taps.
extern "C" __global__ void draw_filters(const Step* steps, unsigned view, unsigned key0, unsigned key1, int size,
                                        index_t threads, float* weights) {
  index_t i = global_index();
  if (i >= threads) return;
  int blocks = (size * size + 3) / 4;
  index_t g = i / blocks;
  draw_taps(weights + g * size * size, steps[g], {view, key0, key1}, static_cast<int>(i % blocks), size);
}

// (G, 2, H - 2, W - 2), modes beyond their step's reach unwritten: one thread two rows of a column, both axes.
extern "C" __global__ void draw_modes(const Step* steps, unsigned view, unsigned key0, unsigned key1, int height,
                                      int width, index_t threads, float* b) {
  index_t i = global_index();
  if (i >= threads) return;
  int across = width - 2, pairs = (height - 1) / 2, q = static_cast<int>(i % across);
  int pair = static_cast<int>(i / across % pairs);
  index_t g = i / across / pairs;
  const Step step = steps[g];
  if (q >= step.reach || 2 * pair >= step.reach) return;
  Normals drawn = draw_normals(step, {view, key0, key1}, pair * across + q);
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    int p = 2 * pair + r;
    if (p >= min(height - 2, step.reach)) break;
    float deviation = step.strength * mode_deviation(p + 1, q + 1, step.last, step.reach, height, width);
#pragma unroll
    for (int axis = 0; axis < 2; ++axis)
      b[((2 * g + axis) * (height - 2) + p) * across + q] = deviation * drawn.lane[2 * r + axis];
  }
}

// (G, C, terms): one thread a block of four frequencies of a channel; each step may have fewer terms.
extern "C" __global__ void draw_colors(const Step* steps, unsigned view, unsigned key0, unsigned key1, int channels,
                                       int terms, index_t threads, float* coefficients) {
  index_t i = global_index();
  if (i >= threads) return;
  int blocks = (terms + 6) / 4, c = static_cast<int>(i % channels);  // terms may begin at the last lane of a block
  index_t g = i / channels / blocks;
  const Step step = steps[g];
  int block = (step.first - 1) / 4 + static_cast<int>(i / channels % blocks);
  if (4 * block >= step.last) return;
  draw_terms(coefficients + (g * channels + c) * terms, step, {view, key0, key1}, block, c, channels, step.first,
             step.last - step.first + 1);
}

// `runs` blocks share a plane.
extern "C" __global__ void color_steps(const float* source, const Step* steps, const float* coefficients, int channels,
                                       int area, int terms, int runs, float* target) {
  index_t plane = blockIdx.x / runs;
  const Step step = steps[plane / channels];
  index_t at = (static_cast<index_t>(step.row) * channels + plane % channels) * area;
  color_plane(target + at, source + at, area, blockIdx.x % runs, coefficients + plane * terms, step.first,
              step.last - step.first + 1);
}

// One thread a block of four values.
extern "C" __global__ void noise_steps(const float* source, const Step* steps, unsigned view, unsigned key0,
                                       unsigned key1, int size, index_t threads, float* target) {
  index_t i = global_index();
  if (i >= threads) return;
  int blocks = (size + 3) / 4, block = static_cast<int>(i % blocks);
  const Step step = steps[i / blocks];
  Normals drawn = draw_normals(step, {view, key0, key1}, block);
  index_t first = static_cast<index_t>(step.row) * size + 4 * block;
#pragma unroll
  for (int lane = 0; lane < 4; ++lane)
    if (4 * block + lane < size)
      target[first + lane] = clip_unit(fmaf(step.strength, drawn.lane[lane], source[first + lane]));
}

// Add chain m to the views. What a chain of d steps made lies in images (0), odd (1, 3, ..) or even (2, 4, ..).
extern "C" __global__ void mix_chain(const float* images, const float* odd, const float* even, const int* steps,
                                     const float* weights, int chain, int width, int size, index_t values,
                                     float* views) {
  index_t i = global_index();
  if (i >= values) return;
  index_t n = i / size;
  int taken = steps[n];
  float made = taken == 0 ? images[i] : taken % 2 ? odd[i] : even[i];
  const float* weight = weights + n * width;
  float before = chain == 0 ? weight[0] * images[i] : views[i];
  views[i] = fmaf(weight[chain + 1], made, before);
}
