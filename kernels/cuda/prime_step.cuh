// One step of one PRIME chain, and what is drawn for it; which normal lies where: kernels/prime_steps.py.
#pragma once
#include "philox.cuh"

struct __align__(16) Step {  // 32 bytes, as kernels/cuda/prime_records.py packs them
  int kind, row;  // row: which image of the batch
  unsigned index, stage;
  float strength;
  int first, last;
  int reach;  // SPATIAL: modes (p, q) with p or q above it, counted from 1, are zero
};

struct Address {  // what all streams of a batch share
  unsigned view, key0, key1;
};

__device__ __forceinline__ Normals draw_normals(const Step& step, const Address& address, unsigned block) {
  return normals_of(philox({step.index, address.view, step.stage, address.key0, address.key1}, block));
}

// Write taps 4 block .. 4 block + 3 of a size x size filter, with the identity added.
__device__ __forceinline__ void draw_taps(float* weights, const Step& step, const Address& address, int block,
                                          int size) {
  Normals drawn = draw_normals(step, address, block);
#pragma unroll
  for (int lane = 0; lane < 4; ++lane) {
    int tap = 4 * block + lane;
    if (tap < size * size)
      weights[tap] = step.strength * drawn.lane[lane] + (tap == size / 2 * (size + 1) ? 1.0f : 0.0f);
  }
}

// Write those of a block's four coefficients of channel c that are of frequencies from .. from + count - 1.
__device__ __forceinline__ void draw_terms(float* a, const Step& step, const Address& address, int block, int c,
                                           int channels, int from, int count) {
  Normals drawn = draw_normals(step, address, block * channels + c);
#pragma unroll
  for (int lane = 0; lane < 4; ++lane) {
    int d = 4 * block + lane + 1 - from;
    if (d >= 0 && d < count) a[d] = step.strength * drawn.lane[lane];
  }
}

// Standard deviation of the folded mode (p, q), counted from 1: its aliases i = 2 (H - 1) t +- p, j = 2 (W - 1) u +- q
// with i^2 + j^2 <= limit are independent of variance 1 / (i^2 + j^2) (kernels/reference/prime.py, mode_variances).
__device__ __forceinline__ float mode_deviation(int p, int q, int limit, int reach, int height, int width) {
  float total = 0.0f;
  int turn_i = 2 * (height - 1), turn_j = 2 * (width - 1);
#pragma unroll 1
  for (int i = p, up = 0; i <= reach; i += up ? 2 * p : turn_i - 2 * p, up ^= 1)
#pragma unroll 1
    for (int j = q, right = 0; j <= reach; j += right ? 2 * q : turn_j - 2 * q, right ^= 1) {
      unsigned square = static_cast<unsigned>(i) * i + static_cast<unsigned>(j) * j;
      if (square > static_cast<unsigned>(limit)) break;
      total += __fdiv_rn(1.0f, static_cast<float>(square));
    }
  return sqrtf(total);
}
