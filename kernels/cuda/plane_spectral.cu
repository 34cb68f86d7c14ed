// Half spectra of whole planes in shared memory, and the step up a gradient: one block a plane.
#include "plane.cuh"
#include "scale.cuh"

// Legend: images (planes, SIDE, SIDE), spectra (planes, SIDE, COLUMNS), sizes (SIDE, COLUMNS) = step size x sensitivity.

// Transform a plane and hand every bin of its half spectrum to `use(u, v, bin)`.
template <class Use>
__device__ __forceinline__ void each_bin(float2* z, const float* image, const float2* roots, Use use) {
  rows_forward(z, image, roots);
  columns_first<-1>(z, roots);
  for TASKS(ROWS * FIRST) {
    Bins part(z, task);
    float2 bins[SECOND];
    part.load(bins);
    Dft<-1, SECOND>::run(bins);
    part.apply(bins, [=](int u, int v, float2 bin) {
      use(u, v, bin);
      return bin;
    });
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) half_spectrum(const float* images, const float2* roots,
                                                                    float2* spectra) {
  DYNAMIC_SHARED(float2, z);
  index_t plane = blockIdx.x;
  float2* own = spectra + plane * (SIDE * COLUMNS);
  each_bin(z, images + plane * (SIDE * SIDE), roots, [=](int u, int v, float2 bin) { own[u * COLUMNS + v] = bin; });
}

// Scale the amplitudes of `spectra` by their step up the gradient by the images, into `out`.
extern "C" __global__ void __launch_bounds__(THREADS) ascend_spectrum(const float* gradients, const float2* roots,
                                                                      const float2* spectra, const float* sizes,
                                                                      float2* out) {
  DYNAMIC_SHARED(float2, z);
  index_t plane = blockIdx.x;
  const float2* before = spectra + plane * (SIDE * COLUMNS);
  float2* after = out + plane * (SIDE * COLUMNS);
  each_bin(z, gradients + plane * (SIDE * SIDE), roots, [=](int u, int v, float2 towards) {
    int i = u * COLUMNS + v;
    after[i] = ascended(before[i], towards, sizes[i]);
  });
}

// The symmetric part of a column of a half spectrum that is its own mirror image: all that counts in the real inverse.
__device__ __forceinline__ float2 symmetric(const float2* spectrum, int u, int v) {
  return 0.5f * (spectrum[u * COLUMNS + v] + conjugate(spectrum[(SIDE - u) % SIDE * COLUMNS + v]));
}

extern "C" __global__ void __launch_bounds__(THREADS) from_half_spectrum(const float2* spectra, const float2* roots,
                                                                         float* images) {
  DYNAMIC_SHARED(float2, z);
  index_t plane = blockIdx.x;
  const float2* own = spectra + plane * (SIDE * COLUMNS);
  for TASKS(ROWS * FIRST) {
    Bins part(z, task);
    float2 bins[SECOND];
#pragma unroll
    for (int m = 0; m < SECOND; ++m) {
      int u = part.k + FIRST * m;
      bins[m] = part.v ? own[u * COLUMNS + part.v]
                       : symmetric(own, u, 0) + times_i<1>(symmetric(own, u, SIDE / 2));
    }
    part.inverse(bins, roots);
    part.store(bins);
  }
  __syncthreads();
  columns_first<1>(z, roots);
  rows_inverse(z, roots, ToImage{images + plane * (SIDE * SIDE)});
}
