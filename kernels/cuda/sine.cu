// Sine series on a grid as two matrix products, each sum in the order of its modes: the bits of a sample do not depend
// on its batch, and modes that are known to be zero cost nothing. About the middle of the grid modes 1, 3, .. are even
// and 2, 4, .. odd, so both are summed apart for half the grid and unfolded.
// Legend: z = 2 g + axis; b (G, 2, My, Mx); lines (G, 2, My, W); out (G, 2, H, W) in pixels; basis_y (My, half of H),
// basis_x (Mx, half of W), halves rounded up; modes from reach[g] on, of either axis, are zero.
#include "common.cuh"

#define TILE 64   // one block of 256 threads: a tile of sums, 4 x 4 a thread
#define DEPTH 16  // modes that lie in shared memory at once
#define STRIDE (TILE + 4)

struct Sums {  // of the modes that are even about the middle and of those that are odd
  float even[4][4], odd[4][4];
};

// left (TILE, count) times right (count, TILE), read by left(row, k) and right(k, column). ALONG_K: neighbours of
// left in memory are neighbours in k.
template <bool ALONG_K, class Left, class Right>
__device__ __forceinline__ Sums multiply(const Left& left, const Right& right, int count) {
  DYNAMIC_SHARED(float, lefts);  // (DEPTH, STRIDE), and rights likewise
  float* rights = lefts + DEPTH * STRIDE;
  int y = threadIdx.x / 16 * 4, x = threadIdx.x % 16 * 4;
  Sums sums = {};
  for (int first = 0; first < count; first += DEPTH) {
    __syncthreads();  // the modes before are done with
    for (int i = threadIdx.x; i < DEPTH * TILE; i += 256) {
      int k = ALONG_K ? i % DEPTH : i / TILE, row = ALONG_K ? i / DEPTH : i % TILE;
      lefts[k * STRIDE + row] = first + k < count ? left(row, first + k) : 0.0f;
      k = i / TILE;
      rights[k * STRIDE + i % TILE] = first + k < count ? right(first + k, i % TILE) : 0.0f;
    }
    __syncthreads();
    for (int k = 0; k < DEPTH; k += 2) {
#pragma unroll
      for (int r = 0; r < 4; ++r)
#pragma unroll
        for (int c = 0; c < 4; ++c) {
          sums.even[r][c] = fmaf(lefts[k * STRIDE + y + r], rights[k * STRIDE + x + c], sums.even[r][c]);
          sums.odd[r][c] = fmaf(lefts[(k + 1) * STRIDE + y + r], rights[(k + 1) * STRIDE + x + c], sums.odd[r][c]);
        }
    }
  }
  return sums;
}

// Sum over the modes of x: block (z, tile of modes of y, tile of the left half).
extern "C" __global__ void __launch_bounds__(256)
    sum_columns(const float* b, const int* reach, int modes_y, int modes_x, int width, const float* basis_x,
                float* lines) {
  int half = (width + 1) / 2, across = (half + TILE - 1) / TILE, down = (modes_y + TILE - 1) / TILE;
  index_t z = blockIdx.x / (across * down);
  int tile = blockIdx.x % (across * down), top = tile / across * TILE, start = tile % across * TILE;
  int rows = min(modes_y, reach[z / 2]), count = min(modes_x, reach[z / 2]);
  if (top >= rows) return;
  const float* own = b + z * modes_y * modes_x;
  Sums sums = multiply<true>(
      [&](int row, int k) { return top + row < rows ? own[(top + row) * modes_x + k] : 0.0f; },
      [&](int k, int column) { return start + column < half ? basis_x[k * half + start + column] : 0.0f; }, count);
  float* out = lines + z * modes_y * width;
#pragma unroll
  for (int r = 0; r < 4; ++r)
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      int p = top + threadIdx.x / 16 * 4 + r, x = start + threadIdx.x % 16 * 4 + c;
      if (p >= rows || x >= half) continue;
      out[p * width + x] = sums.even[r][c] + sums.odd[r][c];
      out[p * width + width - 1 - x] = sums.even[r][c] - sums.odd[r][c];
    }
}

// Sum over the modes of y, in pixels: block (z, tile of the upper half, tile of columns).
extern "C" __global__ void __launch_bounds__(256)
    sum_rows(const float* lines, const int* reach, int modes_y, int height, int width, const float* basis_y,
             float* field) {
  int half = (height + 1) / 2, across = (width + TILE - 1) / TILE, down = (half + TILE - 1) / TILE;
  index_t z = blockIdx.x / (across * down);
  int tile = blockIdx.x % (across * down), top = tile / across * TILE, start = tile % across * TILE;
  const float* own = lines + z * modes_y * width;
  Sums sums = multiply<false>(
      [&](int row, int k) { return top + row < half ? basis_y[k * half + top + row] : 0.0f; },
      [&](int k, int column) { return start + column < width ? own[k * width + start + column] : 0.0f; },
      min(modes_y, reach[z / 2]));
  float scale = static_cast<float>(z % 2 ? width : height);
  float* out = field + z * height * width;
#pragma unroll
  for (int r = 0; r < 4; ++r)
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      int y = top + threadIdx.x / 16 * 4 + r, x = start + threadIdx.x % 16 * 4 + c;
      if (y >= half || x >= width) continue;
      out[y * width + x] = scale * (sums.even[r][c] + sums.odd[r][c]);
      out[(height - 1 - y) * width + x] = scale * (sums.even[r][c] - sums.odd[r][c]);
    }
}
