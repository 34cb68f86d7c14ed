// Compile CUDA C++ kernels with a plain C++17 compiler and run them on the CPU with
// block/thread semantics.  Forced in front of the .cu file with -include; the .cu file is unmodified.
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
#define __shared__ static  // one block runs at a time in a process
#define __align__(n) alignas(n)
#define __ldg(p) (*(p))
#define CUDART_PI_F 3.141592654f

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
struct uint3 { unsigned x, y, z; };
struct dim3 : uint3 { constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : uint3{x, y, z} {} };

extern uint3 threadIdx, blockIdx;  // rewritten by the scheduler whenever it resumes a thread
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

namespace simt {  // implemented in cuda_host.cpp, never instrumented by a sanitizer
void barrier(int line);
uint64_t exchange(unsigned mask, uint64_t bits, unsigned source_lane, bool* source_ok, unsigned* ballot);
unsigned lane();
void* dynamic_shared();
struct Launch { uint3 grid, block; size_t shared; uint64_t seed; };
int launch(const Launch&, void (*call)(void*), void* closure);

template <class T> T shuffle(unsigned mask, T value, unsigned source) {
  uint64_t bits = 0; bool ok; unsigned ballot;
  std::memcpy(&bits, &value, sizeof value);
  bits = exchange(mask, bits, source, &ok, &ballot);
  if (ok) std::memcpy(&value, &bits, sizeof value);
  return value;
}
}  // namespace simt

#define __syncthreads() simt::barrier(__LINE__)
#define DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(simt::dynamic_shared())

inline void __syncwarp(unsigned mask = ~0u) { simt::shuffle(mask, 0, simt::lane()); }
template <class T> T __shfl_sync(unsigned m, T v, int src, int w = 32) {
  unsigned l = simt::lane(); return simt::shuffle(m, v, (l & ~(w - 1)) | (src & (w - 1)));
}
template <class T> T __shfl_xor_sync(unsigned m, T v, int x, int w = 32) {
  unsigned l = simt::lane(), s = l ^ x; return simt::shuffle(m, v, s / w <= l / w ? s : l);
}
template <class T> T __shfl_down_sync(unsigned m, T v, unsigned d, int w = 32) {
  unsigned l = simt::lane(); return simt::shuffle(m, v, l % w + d < (unsigned)w ? l + d : l);
}
template <class T> T __shfl_up_sync(unsigned m, T v, unsigned d, int w = 32) {
  unsigned l = simt::lane(); return simt::shuffle(m, v, l % w >= d ? l - d : l);
}
inline unsigned __ballot_sync(unsigned m, int p) {
  bool ok; unsigned b; simt::exchange(m, p != 0, simt::lane(), &ok, &b); return b;
}
template <class T> T atomicAdd(T* p, T v) {
  T old, sum; __atomic_load(p, &old, __ATOMIC_RELAXED);
  do sum = old + v; while (!__atomic_compare_exchange(p, &old, &sum, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}

template <class T> T atomicMin(T* p, T v) {
  T old; __atomic_load(p, &old, __ATOMIC_RELAXED);
  while (v < old && !__atomic_compare_exchange(p, &old, &v, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return old;
}

// Rounded on their own, never contracted.
inline float __fmul_rn(float a, float b) { volatile float r = a * b; return r; }
inline float __fadd_rn(float a, float b) { volatile float r = a + b; return r; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }
inline void sincospif(float x, float* s, float* c) { *s = (float)std::sin(M_PI * (double)x); *c = (float)std::cos(M_PI * (double)x); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
inline float __saturatef(float x) { return x > 0.f ? (x < 1.f ? x : 1.f) : 0.f; }
using std::min; using std::max; using std::memcpy; using std::isfinite;

// What the host must know to launch a kernel from an array of argument pointers, as cuLaunchKernel does.
template <class... P> struct SimtCall {
  void (*kernel)(P...); void** args;
  static void run(void* self) { auto* c = static_cast<SimtCall*>(self); c->go(std::index_sequence_for<P...>{}); }
  template <size_t... I> void go(std::index_sequence<I...>) { kernel(*static_cast<std::remove_reference_t<P>*>(args[I])...); }
};
template <class... P> int simt_start(void (*k)(P...), const simt::Launch& l, void** a) {
  SimtCall<P...> c{k, a}; return simt::launch(l, &SimtCall<P...>::run, &c);
}
template <class... P> constexpr int simt_arity(void (*)(P...)) { return sizeof...(P); }
template <class... P> void simt_sizes(void (*)(P...), int* out) { ((*out++ = std::is_pointer_v<P> ? -(int)sizeof(P) : (int)sizeof(P)), ...); }
#define SIMT_EXPORT(kernel) extern "C" { \
  int simt_run_##kernel(const simt::Launch* l, void** a) { return simt_start(kernel, *l, a); } \
  int simt_sig_##kernel(int* sizes) { simt_sizes(kernel, sizes); return simt_arity(kernel); } }
