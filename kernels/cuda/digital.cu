// Digital faults of the common corruptions.
#include "common.cuh"

// x -> mean + factor (x - mean), the mean of each plane in float64; one block a plane.
extern "C" __global__ void scale_contrast(const float* images, float factor, int area, float* out) {
  DYNAMIC_SHARED(double, sums);
  index_t start = static_cast<index_t>(blockIdx.x) * area;
  double sum = 0.0;
  for (int p = threadIdx.x; p < area; p += blockDim.x) sum += static_cast<double>(images[start + p]);
  sums[threadIdx.x] = sum;
  for (int reach = blockDim.x / 2; reach > 0; reach /= 2) {
    __syncthreads();
    if (threadIdx.x < reach) sums[threadIdx.x] += sums[threadIdx.x + reach];
  }
  __syncthreads();
  float mean = static_cast<float>(sums[0] / area);
  for (int p = threadIdx.x; p < area; p += blockDim.x) out[start + p] = fmaf(images[start + p] - mean, factor, mean);
}

// Means over the blocks of a grid: rows top[i] .. top[i + 1] - 1, columns left[j] .. left[j + 1] - 1; a thread a block.
extern "C" __global__ void block_means(const float* images, const int* top, const int* left, int height, int width,
                                       int rows, int columns, index_t values, float* means) {
  index_t i = global_index();
  if (i >= values) return;
  int column = i % columns, row = i / columns % rows;
  const float* plane = images + i / (static_cast<index_t>(rows) * columns) * height * width;
  double sum = 0.0;
  for (int x = left[column]; x < left[column + 1]; ++x)
    for (int y = top[row]; y < top[row + 1]; ++y) sum += static_cast<double>(plane[y * width + x]);
  int area = (top[row + 1] - top[row]) * (left[column + 1] - left[column]);
  means[i] = static_cast<float>(sum / area);
}

// Each pixel takes the mean of its nearest block, `row` (height,) and `column` (width,); one thread a pixel.
extern "C" __global__ void spread_means(const float* means, const int* row, const int* column, int height, int width,
                                        int rows, int columns, index_t values, float* out) {
  index_t i = global_index();
  if (i >= values) return;
  int x = i % width, y = i / width % height;
  index_t plane = i / (static_cast<index_t>(height) * width);
  out[i] = means[(plane * rows + row[y]) * columns + column[x]];
}
