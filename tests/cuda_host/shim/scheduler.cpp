// The scheduler: blocks one after another, the threads of a block in turns from barrier to barrier, in an order that
// the seed decides. It finds barriers that do not fit each other; races are ThreadSanitizer's to find.
#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "fiber.h"
#include "sanitizers.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace simt {

constexpr unsigned most_threads = 1024, warp_lanes = 32;

struct Group {  // lanes that named one mask; the lowest lane's index is the group's
  unsigned generation, arrived;
  uint64_t brought[2][warp_lanes];  // by turns: a fast lane may bring the next before a slow one has read
};

static void (*kernel)(void*);
static void* closure;
static std::string error;  // of the launch; once it is set no thread goes on

// Fibers are kept from launch to launch, and never moved. Nothing may look ordered between the blocks of a launch, so
// under ThreadSanitizer a block has not the fibers of those before it; those of the fourth before are taken again,
// since each costs a millisecond to make, and what one block does wrong beside another it does beside its neighbour.
constexpr unsigned number_of_sets = orders_are_seen ? 4 : 1;
static std::vector<Fiber> sets[number_of_sets];

// The block that runs.
static Fiber* fibers;
static std::vector<Group> groups;
static Fiber* self;               // the thread that runs
static unsigned count, live;      // threads, and those that have not returned
static unsigned arrived, generation;  // at the barrier, and how many barriers there were
static int site;                      // line of the barrier that threads wait at
static char* shared_memory;
static size_t shared_size, block_number;

// A barrier's edges for ThreadSanitizer, two by turns: a thread that goes on late must not acquire what one that
// already waits at the next barrier released. Blocks have edges of their own: nothing orders one after another.
static std::vector<char> edges;
static void* edge(unsigned barrier, unsigned turn) {
  return orders_are_seen ? &edges[(block_number * (count + 1) + barrier) * 2 + turn % 2] : nullptr;
}
// All threads of a launch come after what was before it, and before what is after it.
static char launch_begins, launch_ends;

static void give_way() {
  Fiber* me = self;
  switch_to(*me, scheduler);
}

static void wait_until_changed(const unsigned* word) {
  self->waits_for = word;
  self->seen = *word;
  give_way();
  self->waits_for = nullptr;
}

[[noreturn]] static void fail(std::string message) {
  error = std::move(message);
  give_way();
  abort();  // it is never resumed
}

static std::string at_line(int line) { return "__syncthreads() on line " + std::to_string(line); }

void barrier(int line) {
  if (arrived == 0) site = line;
  if (site != line) fail(at_line(line) + ", while other threads of the block wait at line " + std::to_string(site));
  if (live != count) fail(at_line(line) + " after a thread of the block has returned");
  void* own = edge(count, generation);
  release(own);
  if (++arrived == live) {
    arrived = 0;
    ++generation;
    give_way();
  } else {
    wait_until_changed(&generation);
  }
  acquire(own);
}

unsigned lane() { return self->index % warp_lanes; }

void* dynamic_shared() { return shared_memory; }

uint64_t exchange(unsigned mask, uint64_t bits, unsigned source, bool* source_ok, unsigned* ballot) {
  unsigned own = lane(), first = self->index - own, lanes = std::min(count - first, warp_lanes);
  if (lanes < warp_lanes) mask &= (1u << lanes) - 1;
  if (!(mask >> own & 1)) fail("a lane called a warp primitive with a mask that lacks it");
  unsigned number = first + __builtin_ctz(mask);
  Group& group = groups[number];
  unsigned turn = group.generation & 1;
  void* together = edge(number, turn);
  release(together);
  group.brought[turn][own] = bits;
  group.arrived |= 1u << own;
  if (group.arrived & ~mask) fail("lanes of one warp primitive disagree on its mask");
  if (group.arrived == mask) {
    group.arrived = 0;
    ++group.generation;
  } else {
    wait_until_changed(&group.generation);
  }
  acquire(together);
  *ballot = 0;
  for (unsigned l = 0; l < warp_lanes; ++l)
    if (mask >> l & 1) *ballot |= static_cast<unsigned>(group.brought[turn][l] & 1) << l;
  *source_ok = source < warp_lanes && mask >> source & 1;
  return *source_ok ? group.brought[turn][source] : 0;
}

// For trace.cpp: which thread runs and where the address lies; false for what is not to be noted, which is a thread's
// own stack and all blocks but the first.
bool whereabouts(const void* address, uint32_t* thread, uint32_t* block, uint32_t* is_shared, uint64_t* offset) {
  const char* place = static_cast<const char*>(address);
  if (!self || self->done || (place >= self->stack && place < self->stack + self->stack_size)) return false;
  *thread = self->index;
  *block = static_cast<uint32_t>(block_number);
  *is_shared = place >= shared_memory && place < shared_memory + shared_size;
  *offset = *is_shared ? place - shared_memory : reinterpret_cast<uint64_t>(place);
  return true;
}

static void thread_main() {
  entered();
  for (;;) {  // the same fiber is a thread of every block
    acquire(&launch_begins);
    kernel(closure);
    release(&launch_ends);
    self->done = true;
    --live;
    give_way();
  }
}

static void discard_fibers() {
  for (std::vector<Fiber>& set : sets) {
    for (Fiber& fiber : set) destroy(fiber);
    set.clear();
  }
}

static void begin_block(const Launch& how, size_t id) {
  std::vector<Fiber>& set = sets[block_number % number_of_sets];
  set.reserve(most_threads);
  for (size_t i = set.size(); i < count; ++i) create(set.emplace_back(), i, thread_main);
  fibers = set.data();
  groups.assign(count, Group{});
  memset(shared_memory, 0xff, shared_size);  // NaN: shared memory begins undefined
  live = count;
  arrived = 0;
  blockIdx = {static_cast<unsigned>(id % how.grid.x), static_cast<unsigned>(id / how.grid.x % how.grid.y),
              static_cast<unsigned>(id / how.grid.x / how.grid.y)};
  for (unsigned i = 0; i < count; ++i) {
    Fiber& fiber = fibers[i];
    fiber.done = false;
    fiber.waits_for = nullptr;
    fiber.thread = {i % how.block.x, i / how.block.x % how.block.y, i / how.block.x / how.block.y};
    if (orders_are_seen) name_thread(fiber, "block " + std::to_string(id) + " thread " + std::to_string(i));
  }
  release(&launch_begins);  // ThreadSanitizer sees memset too
}

// Let every thread that can go on do so, once; false if there was none.
static bool take_turns(const std::vector<unsigned>& order) {
  bool progress = false;
  for (unsigned i : order) {
    Fiber& fiber = fibers[i];
    if (fiber.blocked()) continue;
    self = &fiber;
    threadIdx = fiber.thread;
    progress = true;
    switch_to(scheduler, fiber);
    if (!error.empty()) break;
  }
  return progress;
}

static void run_block(const Launch& how, size_t id, std::vector<unsigned>& order, std::mt19937_64& random) {
  begin_block(how, id);
  while (live && error.empty()) {
    if (how.seed > 1) std::shuffle(order.begin(), order.end(), random);
    if (take_turns(order) || !error.empty()) continue;
    error = arrived ? at_line(site) + " is never reached by some threads" : "deadlock in a warp primitive";
  }
}

int launch(const Launch& how, void (*call)(void*), void* argument) {
  error.clear();
  kernel = call;
  closure = argument;
  static_cast<uint3&>(blockDim) = how.block;
  static_cast<uint3&>(gridDim) = how.grid;
  count = how.block.x * how.block.y * how.block.z;
  if (count == 0 || count > most_threads) {
    error = "1 to 1024 threads a block";
    return 1;
  }
  std::mt19937_64 random(how.seed);
  std::vector<unsigned> order(count);
  std::iota(order.begin(), order.end(), 0u);
  if (how.seed == 1) std::reverse(order.begin(), order.end());
  size_t blocks = static_cast<size_t>(how.grid.x) * how.grid.y * how.grid.z;
  // Shared memory of exactly as many bytes as were asked for, so that AddressSanitizer sees an overrun; each block's its own where
  // an order of blocks would be seen in a common one.
  std::vector<char*> shared(orders_are_seen ? blocks : 1);
  shared_size = how.shared;
  for (char*& memory : shared) memory = static_cast<char*>(malloc(shared_size));
  if (orders_are_seen) edges.assign(blocks * (count + 1) * 2, 0);
  for (size_t b = 0; b < blocks && error.empty(); ++b) {
    block_number = b;
    shared_memory = shared[orders_are_seen ? b : 0];
    run_block(how, how.seed ? blocks - 1 - b : b, order, random);
  }
  acquire(&launch_ends);
  self = nullptr;
  for (char* memory : shared) free(memory);
  if (!error.empty()) discard_fibers();  // of threads that stopped within the kernel
  return error.empty() ? 0 : 1;
}

}  // namespace simt

extern "C" const char* simt_error() { return simt::error.c_str(); }
