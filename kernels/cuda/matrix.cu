// Products of many small matrices, each sum in the order of its terms: unlike a library's, the bits of one product do
// not depend on how many others are made at once.
// Legend: left (B or 1, R, K), right (B or 1, K, S), out (B, R, S), row-major; REAL is float or double.
#include "common.cuh"

#define TILE 16  // of `out`, a thread an element; the block walks along K in steps of as many terms

extern "C" __global__ void __launch_bounds__(TILE * TILE)
    multiply(const REAL* left, const REAL* right, index_t left_stride, index_t right_stride, int rows, int terms,
             int columns, REAL* out) {
  DYNAMIC_SHARED(REAL, tiles);
  REAL *a = tiles, *b = tiles + TILE * (TILE + 1);  // a column more: a tile is read along both sides
  int across = (columns + TILE - 1) / TILE, down = (rows + TILE - 1) / TILE;
  int x = threadIdx.x % TILE, y = threadIdx.x / TILE;
  int column = static_cast<int>(blockIdx.x % across) * TILE + x;
  int row = static_cast<int>(blockIdx.x / across % down) * TILE + y;
  index_t batch = blockIdx.x / (across * down);
  left += batch * left_stride;
  right += batch * right_stride;
  REAL sum = 0;
  for (int start = 0; start < terms; start += TILE) {
    int k = start + x, l = start + y;
    a[y * (TILE + 1) + x] = row < rows && k < terms ? left[static_cast<index_t>(row) * terms + k] : REAL(0);
    b[y * (TILE + 1) + x] = l < terms && column < columns ? right[static_cast<index_t>(l) * columns + column] : REAL(0);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < TILE; ++i) sum += a[y * (TILE + 1) + i] * b[i * (TILE + 1) + x];
    __syncthreads();
  }
  if (row < rows && column < columns) out[(batch * rows + row) * columns + column] = sum;
}
