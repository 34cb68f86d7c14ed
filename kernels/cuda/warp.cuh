// One pixel of a bilinear warp: where it is looked up, and the value there.
#pragma once

struct Corner {  // upper left of the four pixels around a place, and the way from it
  int top, left;
  float fy, fx;
};

// Coordinates are clamped to the image; the last row and column are reached from the pixel before them.
__device__ __forceinline__ Corner locate(float y, float x, int height, int width) {
  y = fminf(fmaxf(y, 0.0f), static_cast<float>(height - 1));
  x = fminf(fmaxf(x, 0.0f), static_cast<float>(width - 1));
  int top = min(static_cast<int>(y), max(height - 2, 0)), left = min(static_cast<int>(x), max(width - 2, 0));
  return {top, left, y - static_cast<float>(top), x - static_cast<float>(left)};
}

__device__ __forceinline__ float bilinear(const float* plane, const Corner& at, int height, int width) {
  int right = width > 1 ? 1 : 0, below = height > 1 ? width : 0;
  const float* corner = plane + at.top * width + at.left;
  float upper = fmaf(at.fx, corner[right] - corner[0], corner[0]);
  float lower = fmaf(at.fx, corner[below + right] - corner[below], corner[below]);
  return fmaf(at.fy, lower - upper, upper);
}
