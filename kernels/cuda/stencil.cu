// Small cross-correlations, one filter a sample: tiles in shared memory, with the pixels around them.
// Legend: source and target (N, C, H, W); member g of a group is sample rows[g]; weights (G, K, K).
#include "common.cuh"

#define TILE_X 32  // one block: a tile of one channel, one thread a pixel
#define TILE_Y 8
#define BAND 8  // rows of taps that are applied at once, so that shared memory grows with K and not with its square

struct Place {  // of a tile
  index_t member;
  int channel, y, x;
};

__device__ __forceinline__ Place place_of(index_t tile, int channels, int height, int width) {
  int across = (width + TILE_X - 1) / TILE_X, down = (height + TILE_Y - 1) / TILE_Y;
  index_t plane = tile / (across * down);
  int rest = static_cast<int>(tile % (across * down));
  return {plane / channels, static_cast<int>(plane % channels), rest / across * TILE_Y, rest % across * TILE_X};
}

// Fill `tile` with the rows x columns pixels from (top, left) on, zeros outside the image.
__device__ __forceinline__ void load_tile(float* tile, const float* plane, int top, int left, int rows, int columns,
                                          int height, int width) {
  for (int i = threadIdx.x; i < rows * columns; i += TILE_X * TILE_Y) {
    int y = top + i / columns, x = left + i % columns;
    tile[i] = y >= 0 && y < height && x >= 0 && x < width ? plane[y * width + x] : 0.0f;
  }
}

extern "C" __global__ void __launch_bounds__(TILE_X * TILE_Y)
    random_filter(const float* source, const int* rows, const float* weights, int channels, int height, int width,
                  int size, float* target) {
  DYNAMIC_SHARED(float, tile);  // (TILE_Y + min(K, BAND) - 1, TILE_X + K - 1)
  Place at = place_of(blockIdx.x, channels, height, width);
  index_t plane = (static_cast<index_t>(rows[at.member]) * channels + at.channel) * height * width;
  const float* taps = weights + at.member * size * size;
  int columns = TILE_X + size - 1, y = threadIdx.x / TILE_X, x = threadIdx.x % TILE_X;
  float total = 0.0f;
  for (int first = 0; first < size; first += BAND) {
    int count = min(BAND, size - first);
    __syncthreads();  // the band before is done with
    load_tile(tile, source + plane, at.y + first - size / 2, at.x - size / 2, TILE_Y + count - 1, columns, height,
              width);
    __syncthreads();
    for (int v = 0; v < count; ++v)
      for (int u = 0; u < size; ++u)
        total = fmaf(taps[(first + v) * size + u], tile[(y + v) * columns + x + u], total);
  }
  y += at.y;
  x += at.x;
  if (y < height && x < width) target[plane + y * width + x] = clip_unit(total);
}
