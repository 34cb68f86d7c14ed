// CUDA C++ for a plain C++17 compiler: put in front of a .cu file with -include, which itself stays as NVRTC gets it.
#pragma once
#include "language.h"
#include "warp.h"
#include "intrinsics.h"
#include "calls.h"
