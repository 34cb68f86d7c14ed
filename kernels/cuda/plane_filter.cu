// Filters of whole planes in shared memory: one block a plane, each pixel read and written once.
#include "amplitude.cuh"
#include "pixel.cuh"
#include "plane.cuh"

// Legend: images, out (planes, SIDE, SIDE).

// Keep the squared distances from zero frequency that are least <= d^2 < most; `put` takes the pixels.
template <class Put>
__device__ __forceinline__ void keep_radius(float2* z, const float* image, const float2* roots, int least, int most,
                                            Put put) {
  rows_forward(z, image, roots);
  columns_first<-1>(z, roots);
  for TASKS(ROWS * FIRST) {
    Bins part(z, task);
    float2 bins[SECOND];
    part.load(bins);
    Dft<-1, SECOND>::run(bins);
    part.apply(bins, [=](int u, int v, float2 bin) {
      int up = min(u, SIDE - u), squared = up * up + v * v;
      return least <= squared && squared < most ? bin : make_float2(0.0f, 0.0f);
    });
    part.inverse(bins, roots);
    part.store(bins);
  }
  __syncthreads();
  columns_first<1>(z, roots);
  rows_inverse(z, roots, put);
}

extern "C" __global__ void __launch_bounds__(THREADS) radial(const float* images, const float2* roots, int least,
                                                             int most, float* out) {
  DYNAMIC_SHARED(float2, z);
  index_t plane = static_cast<index_t>(blockIdx.x) * (SIDE * SIDE);
  keep_radius(z, images + plane, roots, least, most, ToImage{out + plane});
}

// The same into stored pixels (N, SIDE, SIDE, C).
extern "C" __global__ void __launch_bounds__(THREADS) radial_rounded(const float* images, const float2* roots, int least,
                                                                    int most, int channels, unsigned char* pixels,
                                                                    int* first_bad) {
  DYNAMIC_SHARED(float2, z);
  index_t plane = blockIdx.x, n = plane / channels, c = plane % channels;
  unsigned char* own = pixels + n * (SIDE * SIDE) * channels + c;
  keep_radius(z, images + plane * (SIDE * SIDE), roots, least, most, [=](int y, int x, float value) {
    note_bad(value, n, first_bad);
    own[(y * SIDE + x) * channels] = pixel_of(value);
  });
}

// Give every bin the plane's mean amplitude. Bins below `share` of the largest amplitude have no phase.
extern "C" __global__ void __launch_bounds__(THREADS) phase_only(const float* images, const float2* roots, float share,
                                                                 float* out) {
  DYNAMIC_SHARED(float2, z);
  index_t plane = static_cast<index_t>(blockIdx.x) * (SIDE * SIDE);
  rows_forward(z, images + plane, roots);
  columns_first<-1>(z, roots);
  Total own = {0.0f, 0.0f};
  for TASKS(ROWS * FIRST) {
    Bins part(z, task);
    float2 bins[SECOND];
    part.load(bins);
    Dft<-1, SECOND>::run(bins);
    part.store(bins);
    part.apply(bins, [&](int, int v, float2 bin) {
      own.add(amplitude_of(bin), times_in_full(v, SIDE));
      return bin;
    });
  }
  Total all = over_block(own, reinterpret_cast<Total*>(z + ROWS * ROW_STRIDE));
  float level = all.sum / (SIDE * SIDE), floor = share * all.largest;
  for TASKS(ROWS * FIRST) {
    Bins part(z, task);
    float2 bins[SECOND];
    part.load(bins);
    part.apply(bins, [=](int, int, float2 bin) { return flattened(bin, level, floor); });
    part.inverse(bins, roots);
    part.store(bins);
  }
  __syncthreads();
  columns_first<1>(z, roots);
  rows_inverse(z, roots, ToImage{out + plane});
}
