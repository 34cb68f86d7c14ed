// Fibers for x86-64: a switch saves the registers that a called function must keep, and the stack pointer.
#include "fiber.h"

#include <sys/mman.h>

#include <cstdlib>

#include "sanitizers.h"

extern "C" void simt_switch(void** save, void* load);
asm(".text\n"
    "simt_switch:\n"
    "push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "mov %rsp, (%rdi)\n"
    "mov %rsi, %rsp\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n"
    "ret\n");

namespace simt {

Fiber scheduler;

void create(Fiber& fiber, unsigned index, void (*body)()) {
  fiber = {};
  fiber.index = index;
  void* memory = mmap(nullptr, stack_bytes + guard_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) abort();
  mprotect(memory, guard_bytes, PROT_NONE);
  fiber.stack = static_cast<char*>(memory) + guard_bytes;
  fiber.stack_size = stack_bytes;
  // What simt_switch will pop: six registers, then where to return to. The zero above that makes the stack pointer 8
  // less than a multiple of 16 when `body` begins, as after a call.
  void** top = reinterpret_cast<void**>(fiber.stack + stack_bytes) - 1;
  *top = nullptr;
  *--top = reinterpret_cast<void*>(body);
  fiber.stack_pointer = top - 6;
#ifdef SIMT_TSAN
  scheduler.tsan = __tsan_get_current_fiber();
  fiber.tsan = __tsan_create_fiber(0);
#endif
}

void destroy(Fiber& fiber) {
#ifdef SIMT_TSAN
  __tsan_destroy_fiber(fiber.tsan);
#endif
  munmap(fiber.stack - guard_bytes, stack_bytes + guard_bytes);
}

void name_thread(Fiber& fiber, const std::string& name) {
#ifdef SIMT_TSAN
  __tsan_set_fiber_name(fiber.tsan, name.c_str());
#else
  (void)fiber, (void)name;
#endif
}

#ifdef SIMT_ASAN
// Called on the new stack. AddressSanitizer tells where the scheduler's stack is when it is left.
static void arrived(const Fiber* self) {
  const void* bottom;
  size_t size;
  __sanitizer_finish_switch_fiber(self ? self->asan : nullptr, &bottom, &size);
  if (self == &scheduler) return;
  scheduler.stack = static_cast<char*>(const_cast<void*>(bottom));
  scheduler.stack_size = size;
}
#endif

void switch_to(Fiber& from, Fiber& to) {
#ifdef SIMT_TSAN
  __tsan_switch_to_fiber(to.tsan, 1);  // 1: the switch itself orders nothing
#endif
#ifdef SIMT_ASAN
  __sanitizer_start_switch_fiber(&from.asan, to.stack, to.stack_size);
#endif
  simt_switch(&from.stack_pointer, to.stack_pointer);
#ifdef SIMT_ASAN
  arrived(&from);
#endif
}

void entered() {
#ifdef SIMT_ASAN
  arrived(nullptr);
#endif
}

}  // namespace simt
