// Gathers of the blurs: weighted taps, resampling, shuffled pixels.
// Legend: images (N, C, H, W); one thread a value of the output, or a pixel.
#include "common.cuh"

#define TOGETHER 4  // channels that share what a tap needs

// offsets (N or 1, K, 2): rows, columns, at least -up and -left; row_index and column_index: which pixel stands at
// -up .., -left ... One thread a pixel of TOGETHER channels.
extern "C" __global__ void tap_filter(const float* images, const int* offsets, const float* weights,
                                      const int* row_index, const int* column_index, int up, int left, int own,
                                      int taps, int channels, int height, int width, index_t threads, float* out) {
  index_t i = global_index();
  if (i >= threads) return;
  int area = height * width, p = static_cast<int>(i % area), groups = (channels + TOGETHER - 1) / TOGETHER;
  index_t n = i / area / groups;
  int first = static_cast<int>(i / area % groups) * TOGETHER, count = min(TOGETHER, channels - first);
  const float* source = images + (n * channels + first) * area;
  const int* offset = offsets + (own ? n * taps * 2 : 0);
  int y = p / width + up, x = p % width + left;
  float total[TOGETHER] = {};
  for (int k = 0; k < taps; ++k) {
    int from = row_index[y + offset[2 * k]] * width + column_index[x + offset[2 * k + 1]];
#pragma unroll
    for (int c = 0; c < TOGETHER; ++c)
      if (c < count) total[c] = fmaf(weights[k], source[static_cast<index_t>(c) * area + from], total[c]);
  }
  for (int c = 0; c < TOGETHER; ++c)
    if (c < count) out[(n * channels + first + c) * area + p] = total[c];
}

// rows and down (Z, H'), columns and right (Z, W'): the pixel before each position, and the way from it.
extern "C" __global__ void resample(const float* images, const int* rows, const float* down, const int* columns,
                                    const float* right, int count, int height, int width, int new_height,
                                    int new_width, index_t values, float* out) {
  index_t i = global_index();
  if (i >= values) return;
  int x = static_cast<int>(i % new_width), y = static_cast<int>(i / new_width % new_height);
  const float* plane = images + i / new_width / new_height * height * width;
  float total = 0.0f;
  for (int z = 0; z < count; ++z) {
    int top = rows[z * new_height + y], left = columns[z * new_width + x];
    const float* upper = plane + top * width + left;
    const float* lower = plane + min(top + 1, height - 1) * width + left;
    int next = left + 1 < width ? 1 : 0;
    float fy = down[z * new_height + y], fx = right[z * new_width + x];
    float before = fmaf(fy, lower[0] - upper[0], upper[0]), after = fmaf(fy, lower[next] - upper[next], upper[next]);
    total += fmaf(fx, after - before, before);
  }
  out[i] = __fdiv_rn(total, static_cast<float>(count));
}

// One round of copies, one after the other from the last pixel that takes part to the first. A pixel's source has its
// new value if it came before, so each thread follows sources for as long as they did and copies the old value there.
// words (N, R, H, W). One thread a pixel, all channels.
extern "C" __global__ void shuffle_pixels(const float* images, const unsigned* words, int round, int rounds, int reach,
                                          int channels, int height, int width, index_t threads, float* out) {
  index_t i = global_index();
  if (i >= threads) return;
  int area = height * width, p = static_cast<int>(i % area), from = p;
  index_t n = i / area;
  const unsigned* drawn = words + (n * rounds + round) * area;
  for (int before = -1; from > before;) {  // sources that came before lie further on
    int y = from / width, x = from % width;
    if (y <= reach || y > height - reach || x <= reach || x > width - reach) break;
    unsigned word = drawn[from];
    before = from;
    from = (y - reach + static_cast<int>((word >> 16) * 2 * reach >> 16)) * width + x - reach +
           static_cast<int>((word & 0xFFFFu) * 2 * reach >> 16);
  }
  for (index_t plane = n * channels; plane < (n + 1) * channels; ++plane)
    out[plane * area + p] = images[plane * area + from];
}
