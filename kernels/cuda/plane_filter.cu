// Filters of whole planes in shared memory: one block a plane, each pixel read and written once.
#include "plane.cuh"

// Legend: images, out (planes, SIDE, SIDE); squared distances from zero frequency, least <= d^2 < most, are kept.
extern "C" __global__ void __launch_bounds__(THREADS) radial(const float* images, const float2* roots, int least,
                                                             int most, float* out) {
  DYNAMIC_SHARED(float2, z);
  index_t plane = static_cast<index_t>(blockIdx.x) * (SIDE * SIDE);
  rows_forward(z, images + plane, roots);
  columns_first<-1>(z, roots);
  for TASKS(ROWS * FIRST) {
    Bins place(z, task);
    float2 bins[SECOND];
    place.load(bins);
    Dft<-1, SECOND>::run(bins);
    place.apply(bins, [=](int u, int v, float2 bin) {
      int up = min(u, SIDE - u), squared = up * up + v * v;
      return least <= squared && squared < most ? bin : make_float2(0.0f, 0.0f);
    });
    place.inverse(bins, roots);
    place.store(bins);
  }
  __syncthreads();
  columns_first<1>(z, roots);
  rows_inverse(z, out + plane, roots, 1.0f / (SIDE * SIDE));
}
