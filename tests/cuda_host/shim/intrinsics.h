// Functions of CUDA that C++ does not have. Those that a GPU approximates are exact here, so what depends on an
// approximation's bits cannot be held here.
#pragma once
#include "language.h"

// Rounded on their own: through memory, so that the compiler cannot contract them with what follows.
inline float __fmul_rn(float a, float b) {
  volatile float product = a * b;
  return product;
}
inline float __fadd_rn(float a, float b) {
  volatile float sum = a + b;
  return sum;
}
inline float __fdiv_rn(float a, float b) { return a / b; }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(uint64_t(a) * b >> 32); }

inline void sincospif(float x, float* sine, float* cosine) {
  *sine = static_cast<float>(std::sin(M_PI * double(x)));
  *cosine = static_cast<float>(std::cos(M_PI * double(x)));
}
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }  // NaN becomes 0

// Atomics order nothing but themselves, as CUDA's relaxed ones. All return the value before.
template <class T>
T atomicAdd(T* place, T value) {
  T before, sum;
  __atomic_load(place, &before, __ATOMIC_RELAXED);
  do {
    sum = before + value;
  } while (!__atomic_compare_exchange(place, &before, &sum, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return before;
}
template <class T>
T atomicMin(T* place, T value) {
  T before;
  __atomic_load(place, &before, __ATOMIC_RELAXED);
  while (value < before &&
         !__atomic_compare_exchange(place, &before, &value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return before;
}
