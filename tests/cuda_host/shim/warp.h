// Warp primitives. Lanes of one call wait for each other, and for nobody else: what is right only because lanes run in
// step on some GPU shows as a race.
#pragma once
#include "language.h"

namespace simt {
template <class T>
T shuffle(unsigned mask, T value, unsigned source) {
  static_assert(sizeof(T) <= 8);
  uint64_t bits = 0;
  bool source_ok;
  unsigned ballot;
  std::memcpy(&bits, &value, sizeof value);
  bits = exchange(mask, bits, source, &source_ok, &ballot);
  if (source_ok) std::memcpy(&value, &bits, sizeof value);
  return value;
}
}  // namespace simt

inline void __syncwarp(unsigned mask = ~0u) { simt::shuffle(mask, 0, simt::lane()); }

// A lane outside the segment of `width` lanes is nobody: the caller keeps its own value, as CUDA has it.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  unsigned own = simt::lane();
  return simt::shuffle(mask, value, (own & ~(width - 1)) | (source & (width - 1)));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  unsigned own = simt::lane(), source = own ^ bits;
  return simt::shuffle(mask, value, source / width <= own / width ? source : own);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  unsigned own = simt::lane();
  return simt::shuffle(mask, value, own % width + by < static_cast<unsigned>(width) ? own + by : own);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  unsigned own = simt::lane();
  return simt::shuffle(mask, value, own % width >= by ? own - by : own);
}

inline unsigned __ballot_sync(unsigned mask, int predicate) {
  bool source_ok;
  unsigned ballot;
  simt::exchange(mask, predicate != 0, simt::lane(), &source_ok, &ballot);
  return ballot;
}
