// A kernel call with its time and what it read and wrote, for the profile.
#pragma once

#include <type_traits>
#include <utility>

#include "tensor/backend/conv_args.h"
#include "tensor/base/profile.h"

namespace athanor::detail {

// Calls f(field) for each field of an aggregate, of which the args structs have at most 16.
struct AnyField {
  template <class T>
  operator T() const;
};
template <class A, std::size_t... I>
constexpr bool made_of(std::index_sequence<I...>) {
  return requires { A{((void)I, AnyField{})...}; };
}
template <class A, std::size_t N = 16>
constexpr std::size_t field_count() {
  if constexpr (N == 0 || made_of<A>(std::make_index_sequence<N>{})) {
    return N;
  } else {
    return field_count<A, N - 1>();
  }
}

template <class A, class F>
void for_each_field(const A& args, F f) {
  constexpr std::size_t n = field_count<A>();
  static_assert(n > 0 && n <= 14, "for_each_field: one more case is needed");
  const auto each = [&](const auto&... fields) { (f(fields), ...); };
  if constexpr (n == 1) {
    const auto& [a] = args;
    each(a);
  } else if constexpr (n == 2) {
    const auto& [a, b] = args;
    each(a, b);
  } else if constexpr (n == 3) {
    const auto& [a, b, c] = args;
    each(a, b, c);
  } else if constexpr (n == 4) {
    const auto& [a, b, c, d] = args;
    each(a, b, c, d);
  } else if constexpr (n == 5) {
    const auto& [a, b, c, d, e] = args;
    each(a, b, c, d, e);
  } else if constexpr (n == 6) {
    const auto& [a, b, c, d, e, g] = args;
    each(a, b, c, d, e, g);
  } else if constexpr (n == 7) {
    const auto& [a, b, c, d, e, g, h] = args;
    each(a, b, c, d, e, g, h);
  } else if constexpr (n == 8) {
    const auto& [a, b, c, d, e, g, h, i] = args;
    each(a, b, c, d, e, g, h, i);
  } else if constexpr (n == 9) {
    const auto& [a, b, c, d, e, g, h, i, j] = args;
    each(a, b, c, d, e, g, h, i, j);
  } else if constexpr (n == 10) {
    const auto& [a, b, c, d, e, g, h, i, j, k] = args;
    each(a, b, c, d, e, g, h, i, j, k);
  } else if constexpr (n == 11) {
    const auto& [a, b, c, d, e, g, h, i, j, k, l] = args;
    each(a, b, c, d, e, g, h, i, j, k, l);
  } else if constexpr (n == 12) {
    const auto& [a, b, c, d, e, g, h, i, j, k, l, m] = args;
    each(a, b, c, d, e, g, h, i, j, k, l, m);
  } else if constexpr (n == 13) {
    const auto& [a, b, c, d, e, g, h, i, j, k, l, m, n] = args;
    each(a, b, c, d, e, g, h, i, j, k, l, m, n);
  } else if constexpr (n == 14) {
    const auto& [a, b, c, d, e, g, h, i, j, k, l, m, n, o] = args;
    each(a, b, c, d, e, g, h, i, j, k, l, m, n, o);
  }
}

// What the event says of the operands: the shape of the largest, the bytes of all.
template <class Args>
void describe_operands(const Args& args, KernelEvent& event, std::int64_t largest = -1) {
  for_each_field(args, [&](const auto& field) {
    using Field = std::remove_cvref_t<decltype(field)>;
    if constexpr (std::is_same_v<Field, Conv2dArgs> ||
                  std::is_same_v<Field, BatchNormBackwardArgs>) {
      describe_operands(field, event, largest);
    } else if constexpr (std::is_same_v<Field, Operand>) {
      if (!field.data) return;
      std::int64_t stored = 1;  // an axis of stride 0 repeats what is there
      for (int i = 0; i < field.rank; ++i) stored *= field.strides[i] == 0 ? 1 : field.sizes[i];
      event.bytes += stored * size_of(field.dtype);
      if (stored <= largest) return;
      largest = stored;
      event.shape =
          Shape(std::span<const std::int64_t>(field.sizes, static_cast<std::size_t>(field.rank)));
    }
  });
}

// run(args), timed. `path` is what the table says; the kernel may know better.
template <class Args>
void run_profiled(const char* op, const char* path, DType dtype, void (*run)(const Args&),
                  const Args& args) {
  KernelEvent event;
  event.op = op;
  event.dtype = dtype;
  kernel_path = path;
  event.start = profile_now();
  run(args);
  event.duration = profile_now() - event.start;
  event.path = kernel_path;
  describe_operands(args, event);
  add_kernel_event(event);
}

}  // namespace athanor::detail
