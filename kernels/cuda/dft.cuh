// Complex arithmetic and discrete Fourier transforms of a few points in registers, natural order in and out.
#pragma once
#include "common.cuh"

__device__ __forceinline__ float2 operator+(float2 a, float2 b) { return make_float2(a.x + b.x, a.y + b.y); }
__device__ __forceinline__ float2 operator-(float2 a, float2 b) { return make_float2(a.x - b.x, a.y - b.y); }
__device__ __forceinline__ float2 operator*(float a, float2 b) { return make_float2(a * b.x, a * b.y); }
__device__ __forceinline__ float2 conjugate(float2 a) { return make_float2(a.x, -a.y); }
__device__ __forceinline__ float2 times(float2 a, float2 b) {
  return make_float2(fmaf(a.x, b.x, -a.y * b.y), fmaf(a.x, b.y, a.y * b.x));
}
template <int SIGN>
__device__ __forceinline__ float2 times_i(float2 a) {  // a times SIGN i
  return make_float2(-SIGN * a.y, SIGN * a.x);
}

// sum_n z[n] exp(SIGN 2 pi i n k / N): SIGN is -1 forward, 1 inverse; nothing is scaled.
template <int SIGN, int N>
struct Dft;

template <int SIGN>
struct Dft<SIGN, 2> {
  static __device__ __forceinline__ void run(float2* z) {
    float2 difference = z[0] - z[1];
    z[0] = z[0] + z[1];
    z[1] = difference;
  }
};

template <int SIGN>
struct Dft<SIGN, 4> {
  static __device__ __forceinline__ void run(float2* z) {
    float2 even = z[0] + z[2], odd = z[1] + z[3], across = z[0] - z[2], turned = times_i<SIGN>(z[1] - z[3]);
    z[0] = even + odd;
    z[1] = across + turned;
    z[2] = even - odd;
    z[3] = across - turned;
  }
};

template <int SIGN>
struct Dft<SIGN, 7> {  // by sums and differences of z[n] and z[7 - n]
  static __device__ __forceinline__ void run(float2* z) {
    const float cosine[4] = {1.0f, 0.623489801858733531f, -0.222520933956314404f, -0.900968867902419126f};
    const float sine[4] = {0.0f, 0.781831482468029809f, 0.974927912181823607f, 0.433883739117558120f};
    float2 first = z[0], sum[4], difference[4];
#pragma unroll
    for (int n = 1; n < 4; ++n) {
      sum[n] = z[n] + z[7 - n];
      difference[n] = times_i<SIGN>(z[n] - z[7 - n]);
      z[0] = z[0] + sum[n];
    }
#pragma unroll
    for (int k = 1; k < 4; ++k) {
      float2 even = first, odd = make_float2(0.0f, 0.0f);
#pragma unroll
      for (int n = 1; n < 4; ++n) {
        int turn = n * k % 7, near = turn < 4 ? turn : 7 - turn;
        float s = turn < 4 ? sine[near] : -sine[near];
        even = make_float2(fmaf(cosine[near], sum[n].x, even.x), fmaf(cosine[near], sum[n].y, even.y));
        odd = make_float2(fmaf(s, difference[n].x, odd.x), fmaf(s, difference[n].y, odd.y));
      }
      z[k] = even + odd;
      z[7 - k] = even - odd;
    }
  }
};

// 4 ROWS points: four transforms of ROWS points, turns, ROWS transforms of 4.
template <int SIGN, int ROWS>
__device__ __forceinline__ void dft_of_fours(float2* z) {
  const float cosine[16] = {1.0f, 0.923879532511286756f, 0.707106781186547524f, 0.382683432365089772f, 0.0f,
                            -0.382683432365089772f, -0.707106781186547524f, -0.923879532511286756f, -1.0f,
                            -0.923879532511286756f};
  const float sine[16] = {0.0f, 0.382683432365089772f, 0.707106781186547524f, 0.923879532511286756f, 1.0f,
                          0.923879532511286756f, 0.707106781186547524f, 0.382683432365089772f, 0.0f,
                          -0.382683432365089772f};
  float2 out[4 * ROWS];
#pragma unroll
  for (int b = 0; b < 4; ++b) {
    float2 column[ROWS];
#pragma unroll
    for (int a = 0; a < ROWS; ++a) column[a] = z[4 * a + b];
    Dft<SIGN, ROWS>::run(column);
#pragma unroll
    for (int k = 0; k < ROWS; ++k) {
      int turn = b * k * (4 / ROWS);
      out[4 * k + b] = turn == 0 ? column[k] : times(column[k], make_float2(cosine[turn], SIGN * sine[turn]));
    }
  }
#pragma unroll
  for (int k = 0; k < ROWS; ++k) {
    Dft<SIGN, 4>::run(out + 4 * k);
#pragma unroll
    for (int m = 0; m < 4; ++m) z[k + ROWS * m] = out[4 * k + m];
  }
}

template <int SIGN>
struct Dft<SIGN, 8> {
  static __device__ __forceinline__ void run(float2* z) { dft_of_fours<SIGN, 2>(z); }
};

template <int SIGN>
struct Dft<SIGN, 16> {
  static __device__ __forceinline__ void run(float2* z) { dft_of_fours<SIGN, 4>(z); }
};

template <int SIGN>
struct Dft<SIGN, 14> {  // 2 and 7 have no common divisor: by their remainders, without turns (Good, Thomas)
  static __device__ __forceinline__ void run(float2* z) {
    float2 half[2][7];
#pragma unroll
    for (int b = 0; b < 7; ++b) {
      float2 pair[2] = {z[2 * b % 14], z[(7 + 2 * b) % 14]};
      Dft<SIGN, 2>::run(pair);
      half[0][b] = pair[0];
      half[1][b] = pair[1];
    }
#pragma unroll
    for (int a = 0; a < 2; ++a) {
      Dft<SIGN, 7>::run(half[a]);
#pragma unroll
      for (int k = 0; k < 7; ++k) z[(7 * a + 8 * k) % 14] = half[a][k];
    }
  }
};
