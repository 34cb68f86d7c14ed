// What CUDA adds to the language: qualifiers, vector types, the places of threads, barriers, shared memory.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __constant__ static
#define __shared__ static  // right for one block; ThreadSanitizer would see blocks that share it
#define __align__(n) alignas(n)
#define __ldg(p) (*(p))
#define CUDART_PI_F 3.141592654f

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct uint3 {
  unsigned x, y, z;
};
struct dim3 : uint3 {
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : uint3{x, y, z} {}
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

extern uint3 threadIdx, blockIdx;  // the scheduler writes them whenever it resumes a thread
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

#include "simt.h"

#define __syncthreads() simt::barrier(__LINE__)
#define DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(simt::dynamic_shared())

using std::isfinite;
using std::max;
using std::memcpy;
using std::min;
