// Weather of the common corruptions.
#include "common.cuh"

// Raise the largest channel of every pixel by `amount` and the others in proportion; one thread a pixel.
extern "C" __global__ void brighten(const float* images, float amount, int channels, int area, index_t pixels,
                                    float* out) {
  index_t i = global_index();
  if (i >= pixels) return;
  index_t start = i / area * channels * area + i % area;
  float value = images[start];
  for (int c = 1; c < channels; ++c) value = fmaxf(value, images[start + static_cast<index_t>(c) * area]);
  float raised = clip_unit(value + amount);
  for (int c = 0; c < channels; ++c) {
    index_t at = start + static_cast<index_t>(c) * area;
    out[at] = value == 0.0f ? raised : __fmul_rn(__fdiv_rn(images[at], value), raised);
  }
}

// Diamond-square on a torus of `size` (a power of two), scaled to [0, 1]; one block a map, which stays in the cache.
// `amplitudes`: of the noise, by level. Every point is written once, by one thread, and read after a barrier.
extern "C" __global__ void plasma_fractal(const float* noise, const float* amplitudes, int size, float* out) {
  DYNAMIC_SHARED(float, bounds);  // least and largest of each thread
  const float* added = noise + static_cast<index_t>(blockIdx.x) * size * size;
  float* heights = out + static_cast<index_t>(blockIdx.x) * size * size;
  int wrap = size - 1;
  if (threadIdx.x == 0) heights[0] = 0.0f;
  for (int step = size, level = 0; step > 1; step /= 2, ++level) {
    int half = step / 2, side = size / step;
    float amplitude = amplitudes[level];
    __syncthreads();
    for (int i = threadIdx.x; i < side * side; i += blockDim.x) {  // centres of the squares
      int y = i / side * step, x = i % side * step, down = (y + step) & wrap, right = (x + step) & wrap;
      float sum = heights[y * size + x] + heights[down * size + x] + heights[y * size + right] +
                  heights[down * size + right];
      int at = (y + half) * size + x + half;
      heights[at] = fmaf(amplitude, added[at], 0.25f * sum);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < 2 * side * side; i += blockDim.x) {  // middles of their sides
      int square = i >> 1, y = square / side * step, x = square % side * step;
      if (i & 1) x += half; else y += half;
      float sum = heights[((y + half) & wrap) * size + x] + heights[((y - half) & wrap) * size + x] +
                  heights[y * size + ((x + half) & wrap)] + heights[y * size + ((x - half) & wrap)];
      int at = y * size + x;
      heights[at] = fmaf(amplitude, added[at], 0.25f * sum);
    }
  }
  __syncthreads();
  float least = heights[0], largest = heights[0];
  for (int i = threadIdx.x; i < size * size; i += blockDim.x) {
    least = fminf(least, heights[i]);
    largest = fmaxf(largest, heights[i]);
  }
  bounds[threadIdx.x] = least;
  bounds[blockDim.x + threadIdx.x] = largest;
  for (int reach = blockDim.x / 2; reach > 0; reach /= 2) {
    __syncthreads();
    if (threadIdx.x < reach) {
      bounds[threadIdx.x] = fminf(bounds[threadIdx.x], bounds[threadIdx.x + reach]);
      float* tops = bounds + blockDim.x;
      tops[threadIdx.x] = fmaxf(tops[threadIdx.x], tops[threadIdx.x + reach]);
    }
  }
  __syncthreads();
  least = bounds[0];
  float span = bounds[blockDim.x] - least;
  for (int i = threadIdx.x; i < size * size; i += blockDim.x)
    heights[i] = __fdiv_rn(heights[i] - least, span == 0.0f ? 1.0f : span);
}
