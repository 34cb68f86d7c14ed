// A trace of memory accesses. It stands in for ThreadSanitizer's runtime: a kernel compiled with -fsanitize=thread calls
// these functions at every access, so its source stays as it is.
#include <cstdint>
#include <vector>

namespace simt {
bool whereabouts(const void* address, uint32_t* thread, uint32_t* block, uint32_t* is_shared, uint64_t* offset);
}

struct Record {  // as RECORD of trace.py
  uint64_t offset;  // into shared memory, or an address
  uint32_t instruction, thread, block, is_shared, size, is_write;
};
static std::vector<Record> records;

extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));  // where this library begins

static void note(const void* place, uint32_t size, uint32_t is_write, const void* return_address) {
  Record record = {};
  record.instruction = static_cast<uint32_t>(static_cast<const char*>(return_address) - __ehdr_start - 1);
  record.size = size;
  record.is_write = is_write;
  if (simt::whereabouts(place, &record.thread, &record.block, &record.is_shared, &record.offset))
    records.push_back(record);
}

#define NOTE(place, size, is_write) note(place, size, is_write, __builtin_return_address(0))
#define ACCESSES(size)                                                    \
  void __tsan_read##size(void* p) { NOTE(p, size, 0); }                   \
  void __tsan_write##size(void* p) { NOTE(p, size, 1); }                  \
  void __tsan_unaligned_read##size(void* p) { NOTE(p, size, 0); }         \
  void __tsan_unaligned_write##size(void* p) { NOTE(p, size, 1); }
// Of an atomic that changes memory, the read and the write.
#define ATOMICS(bits, type)                                                                                       \
  type __tsan_atomic##bits##_load(const volatile type* p, int order) {                                            \
    NOTE(const_cast<const type*>(p), bits / 8, 0);                                                                \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                                  \
  }                                                                                                               \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* p, type* expected, type value, int, int) {     \
    NOTE(const_cast<const type*>(p), bits / 8, 1);                                                                \
    return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);            \
  }

extern "C" {
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
void __tsan_read_range(void* p, unsigned long size) { NOTE(p, static_cast<uint32_t>(size), 0); }
void __tsan_write_range(void* p, unsigned long size) { NOTE(p, static_cast<uint32_t>(size), 1); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

const Record* simt_trace(uint64_t* number) {
  *number = records.size();
  return records.data();
}
void simt_trace_clear() { std::vector<Record>().swap(records); }  // and gives the memory back
}
