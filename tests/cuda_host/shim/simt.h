// What kernels need of the scheduler (scheduler.cpp). It is never instrumented by a sanitizer: only kernels are looked at.
#pragma once

namespace simt {

struct Launch {
  uint3 grid, block;
  size_t shared;  // bytes
  uint64_t seed;  // order of threads and blocks: 0 ascending, 1 descending, else threads shuffled at every barrier
};

// Run `call(closure)` once for every thread; 0, or 1 with a message for simt_error.
int launch(const Launch& launch, void (*call)(void*), void* closure);

// Wait for all threads of the block; every one of them must come to this very line.
void barrier(int line);

// What the lane `source` of the warp brought, once all lanes of `mask` have come; `ballot` collects the lowest bits.
uint64_t exchange(unsigned mask, uint64_t bits, unsigned source, bool* source_ok, unsigned* ballot);

unsigned lane();
void* dynamic_shared();

}  // namespace simt
