// What every kernel here uses: dynamic shared memory by a name, places in a grid, clipping.
#pragma once

#ifndef DYNAMIC_SHARED  // the tests' host shim brings its own
#define DYNAMIC_SHARED(type, name) \
  extern __shared__ __align__(16) unsigned char name##_bytes[]; \
  type* name = reinterpret_cast<type*>(name##_bytes)
#endif

typedef long long index_t;  // of an element of a whole batch: batches may have more than 2^31

__device__ __forceinline__ index_t global_index() {
  return static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ __forceinline__ float clip_unit(float x) {  // NaN becomes 0, as max and min of CUDA have it
  return fminf(fmaxf(x, 0.0f), 1.0f);
}
