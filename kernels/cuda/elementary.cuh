// Elementary functions in float32 from fused multiply-adds alone, as kernels/cpu/elementary.py has them: the same
// bits on every device, whatever its own sinf and logf do.
#pragma once

__device__ __forceinline__ int bits_of(float x) {
  int bits;
  memcpy(&bits, &x, 4);
  return bits;
}

__device__ __forceinline__ float float_of(int bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

// sin(pi r) for |r| <= 1/2: a polynomial of r^2 (Chebyshev interpolation), absolute error 4e-8.
__device__ __forceinline__ float sin_pi_near(float r) {
  float z = r * r;
  float p = fmaf(z, fmaf(z, fmaf(z, fmaf(z, 0.0776559122f, -0.598290411268945f), 2.55007738652654f),
                         -5.16771007666818f), 3.141592640077202f);
  return r * p;
}

// x, negated where the integer-valued float `odd` is odd.
__device__ __forceinline__ float flip_sign(float x, float odd) {
  return float_of(bits_of(x) ^ static_cast<int>(static_cast<unsigned>(static_cast<int>(odd)) << 31));
}

// cos(pi x) for |x| < 2^23.
__device__ __forceinline__ float cos_pi(float x) {
  float turns = rintf(x);
  return flip_sign(sin_pi_near(0.5f - fabsf(x - turns)), turns);
}

// sin(pi k x) with k x formed exactly, for |k x| < 2^23.
__device__ __forceinline__ float sin_pi_product(float k, float x) {
  float product = __fmul_rn(k, x);  // not to be contracted with what follows
  float rest = fmaf(k, x, -product);
  float turns = rintf(product);
  return flip_sign(sin_pi_near(__fadd_rn(product - turns, rest)), turns);
}

// sqrt(-2 ln((word | 1) / 2^32)). The distance of the argument to the nearest power of two is formed in integers, so
// that no digit is lost near 1. Polynomial: Cephes (Moshier), logf.
__device__ __forceinline__ float normal_radius(unsigned word) {
  unsigned odd = word | 1u;
  float approximate = fmaf(static_cast<float>(static_cast<int>(word >> 1)), 2.0f, 1.0f);
  int exponent = (bits_of(approximate) - 0x3F3504F3) >> 23;
  unsigned power = exponent == 32 ? 0u : 1u << (exponent & 31);
  float f = static_cast<float>(static_cast<int>(odd - power)) * float_of((127 - exponent) << 23);
  float z = f * f;
  float p = fmaf(f, fmaf(f, fmaf(f, fmaf(f, 7.0376836292e-2f, -1.1514610310e-1f), 1.1676998740e-1f),
                         -1.2420140846e-1f), 1.4249322787e-1f);
  p = fmaf(f, fmaf(f, fmaf(f, fmaf(f, p, -1.6668057665e-1f), 2.0000714765e-1f), -2.4999993993e-1f), 3.3333331174e-1f);
  float e = static_cast<float>(exponent - 32);
  float y = fmaf(e, -2.12194440e-4f, __fmul_rn(f, __fmul_rn(z, p)));
  y = fmaf(-0.5f, z, y);
  return sqrtf(-2.0f * fmaf(e, 0.693359375f, __fadd_rn(f, y)));
}

// cos and sin of 2 pi word / 2^32. Polynomials: Cephes, cosf and sinf.
__device__ __forceinline__ float2 turn(unsigned word) {
  unsigned quadrant = (word + 0x20000000u) >> 30;
  float x = static_cast<float>(static_cast<int>(word << 2)) * 3.657295198167899e-10f;  // pi / 2^33
  float z = x * x;
  float s = fmaf(x * z, fmaf(z, fmaf(z, -1.9515295891e-4f, 8.3321608736e-3f), -1.6666654611e-1f), x);
  float c = fmaf(z * z, fmaf(z, fmaf(z, 2.443315711809948e-5f, -1.388731625493765e-3f), 4.166664568298827e-2f),
                 fmaf(-0.5f, z, 1.0f));
  bool swap = quadrant & 1u;
  float cosine = swap ? s : c, sine = swap ? c : s;
  if ((quadrant + 1u) & 2u) cosine = -cosine;
  if (quadrant & 2u) sine = -sine;
  return make_float2(cosine, sine);
}
