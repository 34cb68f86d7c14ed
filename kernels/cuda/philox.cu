// Whole streams of words or normals: one thread a block of four.
// Legend: indices (N,), out (N, count); `blocks` = ceil(count / 4).
#include "common.cuh"
#include "philox.cuh"

__device__ __forceinline__ bool place(int rows, int blocks, index_t* row, int* block) {
  index_t i = global_index();
  *row = i / blocks;
  *block = static_cast<int>(i % blocks);
  return *row < rows;
}

extern "C" __global__ void words(const unsigned* indices, unsigned view, unsigned stage, unsigned key0, unsigned key1,
                                 unsigned draw, int rows, int blocks, int count, unsigned* out) {
  index_t row;
  int block;
  if (!place(rows, blocks, &row, &block)) return;
  Words drawn = philox({indices[row], view, stage, key0, key1}, draw + block);
  for (int lane = 0; lane < 4; ++lane)
    if (4 * block + lane < count) out[row * count + 4 * block + lane] = drawn.lane[lane];
}

extern "C" __global__ void normals(const unsigned* indices, unsigned view, unsigned stage, unsigned key0,
                                   unsigned key1, unsigned draw, int rows, int blocks, int count, float* out) {
  index_t row;
  int block;
  if (!place(rows, blocks, &row, &block)) return;
  Normals drawn = normals_of(philox({indices[row], view, stage, key0, key1}, draw + block));
  for (int lane = 0; lane < 4; ++lane)
    if (4 * block + lane < count) out[row * count + 4 * block + lane] = drawn.lane[lane];
}
