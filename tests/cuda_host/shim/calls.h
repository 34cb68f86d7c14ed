// How the host calls a kernel: with an array of pointers to its arguments, as cuLaunchKernel does. SIMT_EXPORT(kernel)
// defines simt_run_kernel, which does that, and simt_sig_kernel, which tells the size of every parameter.
#pragma once
#include "language.h"

namespace simt {

template <class... P>
struct Call {
  void (*kernel)(P...);
  void** arguments;

  static void run(void* self) { static_cast<Call*>(self)->go(std::index_sequence_for<P...>{}); }

  template <size_t... I>
  void go(std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_reference_t<P>*>(arguments[I])...);
  }
};

template <class... P>
int start(void (*kernel)(P...), const Launch& how, void** arguments) {
  Call<P...> call{kernel, arguments};
  return launch(how, &Call<P...>::run, &call);
}

// Writes the bytes of every parameter, negative for a pointer; returns how many there are.
template <class... P>
int sizes(void (*)(P...), int* out) {
  ((*out++ = std::is_pointer_v<P> ? -static_cast<int>(sizeof(P)) : static_cast<int>(sizeof(P))), ...);
  return sizeof...(P);
}

}  // namespace simt

#define SIMT_EXPORT(kernel)                                                                                          \
  extern "C" {                                                                                                       \
  int simt_run_##kernel(const simt::Launch* how, void** arguments) { return simt::start(kernel, *how, arguments); } \
  int simt_sig_##kernel(int* out) { return simt::sizes(kernel, out); }                                              \
  }
