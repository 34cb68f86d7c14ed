// Which pixels a thread of prime_fused.cu has, and where the block keeps the image.
//
// A thread owns pairs of pixels, (y, x) and (H - 1 - y, x), in all channels: sine modes are even or odd about the
// middle, so a pair shares its sums. Only a thread that owns a pixel writes it, but for noise.
#pragma once
#include "common.cuh"

constexpr int AREA = HEIGHT * WIDTH, MODES_Y = HEIGHT - 2, MODES_X = WIDTH - 2;
constexpr int HALF_Y = (HEIGHT + 1) / 2, HALF_X = (WIDTH + 1) / 2;
constexpr int PAIRS = HALF_Y * WIDTH, OWN = (PAIRS + THREADS - 1) / THREADS;  // pairs, and how many a thread has
constexpr int SLOTS = 2 * OWN;                                               // pixels of a thread

__device__ constexpr int padded(int floats) { return (floats + 3) / 4 * 4; }

struct Memory {
  float *image, *basis_y, *basis_x, *work;
};

struct Pixels {  // of one thread
  float value[CHANNELS][SLOTS];
};

struct Pixel {
  int y, x;
  bool here;  // else the slot is empty
};

// Slots 2 k and 2 k + 1 are the pair k.
__device__ __forceinline__ Pixel own_pixel(int slot) {
  int pair = threadIdx.x + slot / 2 * THREADS;
  int x = (THREADS % WIDTH ? pair : threadIdx.x) % WIDTH, y = pair / WIDTH;
  bool here = PAIRS == OWN * THREADS || pair < PAIRS;
  if (slot % 2 == 0) return {y, x, here};
  return {HEIGHT - 1 - y, x, here && (HEIGHT % 2 == 0 || y != HEIGHT / 2)};
}

template <class Work>
__device__ __forceinline__ void each_own(const Work& work) {  // work(place in an image)
#pragma unroll
  for (int slot = 0; slot < SLOTS; ++slot) {
    Pixel at = own_pixel(slot);
    if (!at.here) continue;
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c) work(c * AREA + at.y * WIDTH + at.x);
  }
}

// What every thread could read before is gone, what each wrote is there.
__device__ __forceinline__ void write_pixels(float* image, const Pixels& pixels) {
  __syncthreads();
#pragma unroll
  for (int slot = 0; slot < SLOTS; ++slot) {
    Pixel at = own_pixel(slot);
    if (!at.here) continue;
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c)
      image[c * AREA + at.y * WIDTH + at.x] = clip_unit(pixels.value[c][slot]);
  }
  __syncthreads();
}
