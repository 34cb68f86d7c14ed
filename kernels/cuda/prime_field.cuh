// PRIME's displacement in one block: modes drawn into shared memory, two sums of sines, and the warp.
// Legend: modes (H - 2, W - 2) and lines (H - 2, W), both of pairs (dy, dx) in shares of the image's size.
#pragma once
#include "elementary.cuh"
#include "prime_pixels.cuh"
#include "prime_step.cuh"
#include "warp.cuh"

__device__ __forceinline__ void fill_basis(float* basis, int size) {
  int half = (size + 1) / 2;
#pragma unroll 1
  for (int i = threadIdx.x; i < (size - 2) * half; i += THREADS) {
    int turns = (i / half + 1) * (i % half) % (2 * (size - 1)), rest = turns % (size - 1);
    float sine = sin_pi_near(__fdiv_rn(static_cast<float>(min(rest, size - 1 - rest)), static_cast<float>(size - 1)));
    basis[i] = turns < size - 1 ? sine : -sine;
  }
}

__device__ __forceinline__ void add_wave(float2& sum, float2 factor, float wave) {
  sum = make_float2(fmaf(factor.x, wave, sum.x), fmaf(factor.y, wave, sum.y));
}

// Sum the modes of x, for the left half and so for the right one.
__device__ __forceinline__ void sum_columns(float2* lines, const float2* modes, const float* basis_x, int rows,
                                            int count) {
#pragma unroll 1
  for (int i = threadIdx.x; i < rows * HALF_X; i += THREADS) {
    int p = i / HALF_X, x = i % HALF_X;
    float2 even = make_float2(0.0f, 0.0f), odd = even;
    for (int q = 0; q < count; q += 2) {
      add_wave(even, modes[p * MODES_X + q], basis_x[q * HALF_X + x]);
      if (q + 1 < count) add_wave(odd, modes[p * MODES_X + q + 1], basis_x[(q + 1) * HALF_X + x]);
    }
    lines[p * WIDTH + x] = make_float2(even.x + odd.x, even.y + odd.y);
    lines[p * WIDTH + WIDTH - 1 - x] = make_float2(even.x - odd.x, even.y - odd.y);
  }
}

struct Field {  // sums over the modes of y that are even and odd about the middle, of a thread's pairs
  float2 even[OWN], odd[OWN];
};

__device__ __forceinline__ Field sum_rows(const float2* lines, const float* basis_y, int rows) {
  Field sums = {};
  for (int p = 0; p < rows; p += 2)
#pragma unroll
    for (int k = 0; k < OWN; ++k) {
      Pixel at = own_pixel(2 * k);
      if (!at.here) continue;
      add_wave(sums.even[k], lines[p * WIDTH + at.x], basis_y[p * HALF_Y + at.y]);
      if (p + 1 < rows) add_wave(sums.odd[k], lines[(p + 1) * WIDTH + at.x], basis_y[(p + 1) * HALF_Y + at.y]);
    }
  return sums;
}

__device__ __forceinline__ void spatial(const Memory& memory, const Step& step, const Address& address) {
  float2* modes = reinterpret_cast<float2*>(memory.work);
  float2* lines = modes + MODES_Y * MODES_X;
  int rows = min(MODES_Y, step.reach), count = min(MODES_X, step.reach);
#pragma unroll 1
  for (int i = threadIdx.x; i < (rows + 1) / 2 * count; i += THREADS) {
    int pair = i / count, q = i % count;
    Normals drawn = draw_normals(step, address, pair * MODES_X + q);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      int p = 2 * pair + r;
      if (p >= rows) break;
      float deviation = step.strength * mode_deviation(p + 1, q + 1, step.last, step.reach, HEIGHT, WIDTH);
      modes[p * MODES_X + q] = make_float2(deviation * drawn.lane[2 * r], deviation * drawn.lane[2 * r + 1]);
    }
  }
  __syncthreads();
  sum_columns(lines, modes, memory.basis_x, rows, count);
  __syncthreads();
  Field field = sum_rows(lines, memory.basis_y, rows);
  Pixels moved = {};
#pragma unroll
  for (int slot = 0; slot < SLOTS; ++slot) {
    Pixel at = own_pixel(slot);
    if (!at.here) continue;
    float2 even = field.even[slot / 2], odd = field.odd[slot / 2];
    float sign = slot % 2 ? -1.0f : 1.0f;
    float y = static_cast<float>(at.y) - HEIGHT * (even.x + sign * odd.x);
    float x = static_cast<float>(at.x) - WIDTH * (even.y + sign * odd.y);
    Corner corner = locate(y, x, HEIGHT, WIDTH);
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c)
      moved.value[c][slot] = bilinear(memory.image + c * AREA, corner, HEIGHT, WIDTH);
  }
  write_pixels(memory.image, moved);
}
