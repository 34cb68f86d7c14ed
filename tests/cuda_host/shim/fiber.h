// Fibers: every CUDA thread of a block has a stack, and one thread of the system switches between them.
#pragma once
#include <string>

#include "language.h"

namespace simt {

constexpr size_t stack_bytes = 256 << 10, guard_bytes = 4096;  // an access below the stack is a fault of the process

struct Fiber {
  void* stack_pointer;  // where it stopped
  char* stack;
  size_t stack_size;
  const unsigned* waits_for;  // it can go on once *waits_for is not `seen`
  unsigned seen;
  bool done;
  unsigned index;
  uint3 thread;
  void *tsan, *asan;  // what the sanitizers call it

  bool blocked() const { return done || (waits_for && *waits_for == seen); }
};

extern Fiber scheduler;  // what runs when none of a block's fibers does: the thread of the system itself

// Give a fiber a stack, on which `body` will run; `body` never returns.
void create(Fiber& fiber, unsigned index, void (*body)());
void destroy(Fiber& fiber);

// Name the thread that begins on this fiber, for ThreadSanitizer's reports.
void name_thread(Fiber& fiber, const std::string& name);

// Go on with `to`; returns when somebody goes on with `from`.
void switch_to(Fiber& from, Fiber& to);

// The first that a fiber does.
void entered();

}  // namespace simt
