// PRIME views of small images: one block an image, which lies in shared memory through all chains and steps, so that
// device memory is read once for each chain (from the cache, but for the first) and written once. The normals of a
// step are drawn by the block that uses them.
// Sizes: -DCHANNELS -DHEIGHT -DWIDTH -DTHREADS.
// Legend: images and views (N, C, H, W), steps (N, chains, depth), weights (N, chains + 1), the clean image's first.
// Shared memory, in floats, each part a multiple of four:
//   image, mixed  (C, H, W): the step's, and the sum of the chains so far
//   basis_y       (H - 2, half of H), basis_x (W - 2, half of W): sin(pi k j / (size - 1)), k from 1
//   work          what the step needs: the filter's taps; modes and lines of the displacement; or the coefficients of
//                 a segment of frequencies (C, COLOR_SEGMENT)
#include "common.cuh"
#include "color.cuh"
#include "pixel.cuh"
#include "prime_field.cuh"
#include "prime_pixels.cuh"
#include "prime_step.cuh"

enum { IDENTITY, SPECTRAL, SPATIAL, COLOR, NOISE };

__device__ __forceinline__ void spectral(const Memory& memory, const Step& step, const Address& address, int size) {
#pragma unroll 1
  for (int block = threadIdx.x; block < (size * size + 3) / 4; block += THREADS)
    draw_taps(memory.work, step, address, block, size);
  __syncthreads();
  Pixels sums = {};
#pragma unroll 1
  for (int v = 0; v < size; ++v)
#pragma unroll 1
    for (int u = 0; u < size; ++u) {
      float tap = memory.work[v * size + u];
#pragma unroll
      for (int slot = 0; slot < SLOTS; ++slot) {
        Pixel at = own_pixel(slot);
        int y = at.y + v - size / 2, x = at.x + u - size / 2;
        if (!at.here || y < 0 || y >= HEIGHT || x < 0 || x >= WIDTH) continue;
#pragma unroll
        for (int c = 0; c < CHANNELS; ++c)
          sums.value[c][slot] = fmaf(tap, memory.image[c * AREA + y * WIDTH + x], sums.value[c][slot]);
      }
    }
  write_pixels(memory.image, sums);
}

__device__ __forceinline__ void color(const Memory& memory, const Step& step, const Address& address) {
  Pixels before, sums;
#pragma unroll
  for (int slot = 0; slot < SLOTS; ++slot) {
    Pixel at = own_pixel(slot);
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c)
      before.value[c][slot] = sums.value[c][slot] = at.here ? memory.image[c * AREA + at.y * WIDTH + at.x] : 0.0f;
  }
#pragma unroll 1
  for (int from = step.first; from <= step.last; from += COLOR_SEGMENT) {
    int count = min(COLOR_SEGMENT, step.last - from + 1);
    int block = (from - 1) / 4, blocks = (from + count - 2) / 4 + 1 - block;
    __syncthreads();  // the coefficients before are done with
#pragma unroll 1
    for (int i = threadIdx.x; i < blocks * CHANNELS; i += THREADS)
      draw_terms(memory.work + i % CHANNELS * COLOR_SEGMENT, step, address, block + i / CHANNELS, i % CHANNELS,
                 CHANNELS, from, count);
    __syncthreads();
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c)
      add_sines(sums.value[c], before.value[c], memory.work + c * COLOR_SEGMENT, from, count);
  }
  write_pixels(memory.image, sums);
}

__device__ __forceinline__ void noise(const Memory& memory, const Step& step, const Address& address) {
#pragma unroll 1
  for (int block = threadIdx.x; block < (CHANNELS * AREA + 3) / 4; block += THREADS) {
    Normals drawn = draw_normals(step, address, block);
#pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      float* x = memory.image + 4 * block + lane;
      if (4 * block + lane < CHANNELS * AREA) *x = clip_unit(fmaf(step.strength, drawn.lane[lane], *x));
    }
  }
  __syncthreads();
}

__device__ __forceinline__ void apply(const Memory& memory, const Step step, const Address& address, int size) {
  if (step.kind == SPECTRAL) spectral(memory, step, address, size);
  if (step.kind == SPATIAL) spatial(memory, step, address);
  if (step.kind == COLOR) color(memory, step, address);
  if (step.kind == NOISE) noise(memory, step, address);
}

// Makes one view; put(place in an image, value) takes it.
template <class Put>
__device__ __forceinline__ void make_view(float* image, const float* images, const Step* steps, const Address& address,
                                          const float* weights, int chains, int depth, int size, const Put& put) {
  float *mixed = image + padded(CHANNELS * AREA), *basis_y = mixed + padded(CHANNELS * AREA);
  float* basis_x = basis_y + padded(MODES_Y * HALF_Y);
  const Memory memory = {image, basis_y, basis_x, basis_x + padded(MODES_X * HALF_X)};
  const index_t own = static_cast<index_t>(blockIdx.x) * CHANNELS * AREA;
  const float* weight = weights + static_cast<index_t>(blockIdx.x) * (chains + 1);
  const Step* own_steps = steps + static_cast<index_t>(blockIdx.x) * chains * depth;
  fill_basis(basis_y, HEIGHT);
  fill_basis(basis_x, WIDTH);
#pragma unroll 1
  for (int m = 0; m < chains; ++m) {
    each_own([&](int i) {
      image[i] = images[own + i];
      if (m == 0) mixed[i] = weight[0] * image[i];
    });
    __syncthreads();
#pragma unroll 1
    for (int s = 0; s < depth; ++s) apply(memory, own_steps[m * depth + s], address, size);
    each_own([&](int i) { mixed[i] = fmaf(weight[m + 1], image[i], mixed[i]); });
  }
  each_own([&](int i) { put(i, mixed[i]); });
}

// Four blocks a multiprocessor, so at most 64 registers where a block has 256 threads.
extern "C" __global__ void __launch_bounds__(THREADS, 4)
    prime_views(const float* images, const Step* steps, unsigned view, unsigned key0, unsigned key1,
                const float* weights, int chains, int depth, int size, float* views) {
  DYNAMIC_SHARED(float, image);
  float* own = views + static_cast<index_t>(blockIdx.x) * CHANNELS * AREA;
  make_view(image, images, steps, {view, key0, key1}, weights, chains, depth, size,
            [=](int i, float value) { own[i] = value; });
}

// The same into stored pixels (N, H, W, C).
extern "C" __global__ void __launch_bounds__(THREADS, 4)
    prime_rounded(const float* images, const Step* steps, unsigned view, unsigned key0, unsigned key1,
                  const float* weights, int chains, int depth, int size, unsigned char* pixels, int* first_bad) {
  DYNAMIC_SHARED(float, image);
  unsigned char* own = pixels + static_cast<index_t>(blockIdx.x) * CHANNELS * AREA;
  make_view(image, images, steps, {view, key0, key1}, weights, chains, depth, size, [=](int i, float value) {
    note_bad(value, blockIdx.x, first_bad);
    own[i % AREA * CHANNELS + i / AREA] = pixel_of(value);
  });
}
