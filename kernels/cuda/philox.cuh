// Philox4x32-10 and normals by address, as kernels/philox.py defines them (Salmon et al. 2011, "Random123").
#pragma once
#include "elementary.cuh"

struct Stream {  // one sample's draws at one stage
  unsigned index, view, stage, key0, key1;
};

struct Words {
  unsigned lane[4];
};

struct Normals {
  float lane[4];
};

__device__ __forceinline__ Words philox(const Stream& stream, unsigned block) {
  unsigned c0 = stream.index, c1 = stream.view, c2 = stream.stage, c3 = block;
  unsigned k0 = stream.key0, k1 = stream.key1;
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    unsigned high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
    unsigned high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// Box-Muller: lanes 0 and 1 make one pair, 2 and 3 the other.
__device__ __forceinline__ Normals normals_of(const Words& words) {
  Normals normals;
#pragma unroll
  for (int pair = 0; pair < 4; pair += 2) {
    float radius = normal_radius(words.lane[pair]);
    float2 both = turn(words.lane[pair + 1]);
    normals.lane[pair] = radius * both.x;
    normals.lane[pair + 1] = radius * both.y;
  }
  return normals;
}
