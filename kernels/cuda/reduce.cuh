// Sums and maxima over the threads of a block.
#pragma once
#include "common.cuh"

struct Total {
  float sum, largest;

  __device__ __forceinline__ void add(float value, float weight) {
    sum = fmaf(weight, value, sum);
    largest = fmaxf(largest, value);
  }

  __device__ __forceinline__ void add(const Total& other) {
    sum += other.sum;
    largest = fmaxf(largest, other.largest);
  }
};

// What all threads of a block have together, in an order that is always the same; full warps, `of_warp` in shared
// memory and unused before.
__device__ __forceinline__ Total over_block(Total own, Total* of_warp) {
#pragma unroll
  for (int apart = 16; apart; apart /= 2)
    own.add({__shfl_xor_sync(0xffffffffu, own.sum, apart), __shfl_xor_sync(0xffffffffu, own.largest, apart)});
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = own;
  __syncthreads();
  Total all = of_warp[0];
  for (int warp = 1; warp < blockDim.x / 32; ++warp) all.add(of_warp[warp]);
  return all;
}
