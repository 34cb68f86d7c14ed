// The real 2-D FFT of one plane and its inverse, in shared memory, one block a plane.
//
// SIDE = FIRST * SECOND: a transform is FIRST-point ones, turns, SECOND-point ones, each in a thread's registers. Two
// rows make one complex row; a half spectrum has SIDE / 2 complex columns, since columns 0 and SIDE / 2 are both real
// and share the first. Every thread puts back what it took where it took it, so frequencies lie in the order of their
// remainders, and no step undoes that: the inverse takes them in the same order.
//
// Options: SIDE, FIRST, SECOND (even), THREADS a block; GROUP_STRIDE, ROW_STRIDE: complex numbers from one FIRST-point
// group, or row, to the next, padded against bank conflicts.
// Legend: z complex rows (SIDE / 2, ROW_STRIDE), r row, v column and u row of the half spectrum, k = u % FIRST,
// roots[j] = exp(-2 pi i j / SIDE).
#pragma once
#include "dft.cuh"

#define ROWS (SIDE / 2)
#define COLUMNS (SIDE / 2 + 1)  // of a half spectrum in global memory
#define TASKS(count) (int task = threadIdx.x; task < (count); task += THREADS)

__device__ __forceinline__ int place(int v) { return v % FIRST * GROUP_STRIDE + v / FIRST; }

// What has the mirror image of column v, or the other of the two real columns.
__device__ __forceinline__ int partner(int v) { return v ? SIDE - v : SIDE / 2; }

// Turn the n-th of some values by exp(SIGN 2 pi i n step / SIDE).
template <int SIGN, int COUNT>
__device__ __forceinline__ void turn_all(float2* values, const float2* roots, int step) {
#pragma unroll
  for (int n = 1; n < COUNT; ++n) {
    float2 root = __ldg(roots + n * step);
    values[n] = times(values[n], SIGN < 0 ? root : conjugate(root));
  }
}

__device__ __forceinline__ void rows_forward(float2* z, const float* image, const float2* roots) {
  for TASKS(ROWS * SECOND) {
    int r = task / SECOND, b = task % SECOND;
    float2 own[FIRST];
#pragma unroll
    for (int a = 0; a < FIRST; ++a) {
      const float* upper = image + 2 * r * SIDE + SECOND * a + b;
      own[a] = make_float2(upper[0], upper[SIDE]);
    }
    Dft<-1, FIRST>::run(own);
    turn_all<-1, FIRST>(own, roots, b);
#pragma unroll
    for (int k = 0; k < FIRST; ++k) z[r * ROW_STRIDE + k * GROUP_STRIDE + b] = own[k];
  }
  __syncthreads();
  for TASKS(ROWS * FIRST) {
    float2* group = z + task % ROWS * ROW_STRIDE + task / ROWS * GROUP_STRIDE;
    float2 own[SECOND];
#pragma unroll
    for (int b = 0; b < SECOND; ++b) own[b] = group[b];
    Dft<-1, SECOND>::run(own);
#pragma unroll
    for (int b = 0; b < SECOND; ++b) group[b] = own[b];
  }
  __syncthreads();
}

// The last step: `put(y, x, value)` takes every pixel.
template <class Put>
__device__ __forceinline__ void rows_inverse(float2* z, const float2* roots, Put put) {
  for TASKS(ROWS * FIRST) {
    int k = task / ROWS;
    float2* group = z + task % ROWS * ROW_STRIDE + k * GROUP_STRIDE;
    float2 own[SECOND];
#pragma unroll
    for (int b = 0; b < SECOND; ++b) own[b] = group[b];
    Dft<1, SECOND>::run(own);
    turn_all<1, SECOND>(own, roots, k);
#pragma unroll
    for (int b = 0; b < SECOND; ++b) group[b] = own[b];
  }
  __syncthreads();
  for TASKS(ROWS * SECOND) {
    int r = task / SECOND, b = task % SECOND;
    float2 own[FIRST];
#pragma unroll
    for (int k = 0; k < FIRST; ++k) own[k] = z[r * ROW_STRIDE + k * GROUP_STRIDE + b];
    Dft<1, FIRST>::run(own);
#pragma unroll
    for (int a = 0; a < FIRST; ++a) {
      const float scale = 1.0f / (SIDE * SIDE);
      put(2 * r, SECOND * a + b, scale * own[a].x);
      put(2 * r + 1, SECOND * a + b, scale * own[a].y);
    }
  }
}

struct ToImage {  // (SIDE, SIDE)
  float* image;
  __device__ __forceinline__ void operator()(int y, int x, float value) const { image[y * SIDE + x] = value; }
};

// Take the two real rows of a complex row apart, at one column, and put them together again.
__device__ __forceinline__ void split_rows(int v, float2& here, float2& there) {
  float2 z = here, w = there;
  if (v) {
    here = 0.5f * (z + conjugate(w));
    there = -0.5f * times_i<1>(z - conjugate(w));
  } else {
    here = make_float2(z.x, w.x);
    there = make_float2(z.y, w.y);
  }
}

__device__ __forceinline__ void join_rows(int v, float2& here, float2& there) {
  float2 even = here, odd = there;
  if (v) {
    here = even + times_i<1>(odd);
    there = conjugate(even) + times_i<1>(conjugate(odd));
  } else {
    here = make_float2(even.x, odd.x);
    there = make_float2(even.y, odd.y);
  }
}

// The FIRST-point half of the columns' transforms: of rows SECOND a + b, for an even b and the odd one after it.
template <int SIGN>
__device__ __forceinline__ void columns_first(float2* z, const float2* roots) {
  for TASKS(ROWS * SECOND / 2) {
    int v = task % ROWS, b = task / ROWS;
    float2 *here = z + b * ROW_STRIDE + place(v), *there = z + b * ROW_STRIDE + place(partner(v));
    const int stride = SECOND / 2 * ROW_STRIDE;
    float2 even[FIRST], odd[FIRST];
#pragma unroll
    for (int a = 0; a < FIRST; ++a) {
      even[a] = here[stride * a];
      odd[a] = there[stride * a];
      if (SIGN < 0) split_rows(v, even[a], odd[a]);
    }
    Dft<SIGN, FIRST>::run(even);
    Dft<SIGN, FIRST>::run(odd);
    if (SIGN < 0) {
      turn_all<SIGN, FIRST>(even, roots, 2 * b);
      turn_all<SIGN, FIRST>(odd, roots, 2 * b + 1);
    }
#pragma unroll
    for (int a = 0; a < FIRST; ++a) {
      if (SIGN > 0) join_rows(v, even[a], odd[a]);
      here[stride * a] = even[a];
      there[stride * a] = odd[a];
    }
  }
  __syncthreads();
}

// One thread's part of the spectrum: column v at the rows u = k + FIRST m, m < SECOND.
struct Bins {
  int v, k;
  bool first_warp;
  float2 *here, *there;

  // The FIRST threads that share column 0 come first and stand in one warp; then columns side by side, as in memory.
  __device__ __forceinline__ Bins(float2* z, int task) : first_warp(task < 32) {
    int rest = task - FIRST;
    v = rest < 0 ? 0 : rest % (ROWS - 1) + 1;
    k = rest < 0 ? task : rest / (ROWS - 1);
    here = z + SECOND / 2 * k * ROW_STRIDE + place(v);
    there = z + SECOND / 2 * k * ROW_STRIDE + place(partner(v));
  }

  __device__ __forceinline__ void load(float2* bins) const {
#pragma unroll
    for (int m = 0; m < SECOND; ++m) bins[m] = (m % 2 ? there : here)[m / 2 * ROW_STRIDE];
  }

  __device__ __forceinline__ void store(const float2* bins) const {
#pragma unroll
    for (int m = 0; m < SECOND; ++m) (m % 2 ? there : here)[m / 2 * ROW_STRIDE] = bins[m];
  }

  // Replace every bin by what `op(u, v, bin)` makes of it; a real factor must be equal at (u, v) and its mirror image.
  template <class Operator>
  __device__ __forceinline__ void apply(float2* bins, Operator op) const {
    if (first_warp) {
      float2 mirrored[SECOND];
      mirror(bins, mirrored);
      if (v == 0) {
#pragma unroll
        for (int m = 0; m < SECOND; ++m) {
          float2 zero = 0.5f * (bins[m] + conjugate(mirrored[m]));
          float2 middle = -0.5f * times_i<1>(bins[m] - conjugate(mirrored[m]));
          bins[m] = op(k + FIRST * m, 0, zero) + times_i<1>(op(k + FIRST * m, SIDE / 2, middle));
        }
        return;
      }
    }
#pragma unroll
    for (int m = 0; m < SECOND; ++m) bins[m] = op(k + FIRST * m, v, bins[m]);
  }

  // Column 0 at the rows -u, from the thread that has them; all lanes of the first warp call this, FIRST need it.
  __device__ __forceinline__ void mirror(const float2* bins, float2* mirrored) const {
    int lane = v == 0 && k ? FIRST - k : 0;
#pragma unroll
    for (int m = 0; m < SECOND; ++m) {
      float2 give = k ? bins[SECOND - 1 - m] : bins[(SECOND - m) % SECOND];
      mirrored[m].x = __shfl_sync(0xffffffffu, give.x, lane);
      mirrored[m].y = __shfl_sync(0xffffffffu, give.y, lane);
    }
  }

  __device__ __forceinline__ void inverse(float2* bins, const float2* roots) const {
    Dft<1, SECOND>::run(bins);
    turn_all<1, SECOND>(bins, roots, k);
  }
};
