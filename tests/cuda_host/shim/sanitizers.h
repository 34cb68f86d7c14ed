// What the sanitizers must be told of threads that are fibers; nothing in a build without them.
#pragma once
#ifdef SIMT_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_set_fiber_name(void* fiber, const char* name);
void __tsan_acquire(void* edge);
void __tsan_release(void* edge);
}
#endif
#ifdef SIMT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace simt {

// An edge orders all that was done before a release of it before all that follows an acquire. ThreadSanitizer knows
// of no other order among fibers, so whatever is ordered by the scheduler's turns alone is a race to it.
#ifdef SIMT_TSAN
inline constexpr bool orders_are_seen = true;
inline void release(void* edge) { __tsan_release(edge); }
inline void acquire(void* edge) { __tsan_acquire(edge); }
#else
inline constexpr bool orders_are_seen = false;
inline void release(void*) {}
inline void acquire(void*) {}
#endif

}  // namespace simt
