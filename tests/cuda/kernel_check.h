// Runs a CUDA kernel on the CPU (tests/cuda/emulation) beside the reference kernel and compares.
//
//   check_kernel("softmax", cuda::softmax, &Kernels::softmax, tolerance, [&](Arena& a) {
//     return SoftmaxArgs{SoftmaxOp::softmax, a.input(DType::f32, {3, 5}), a.output(...)};
//   });
//
// Each run makes its operands anew, with the same values. Checked are:
//   - every output against the reference kernel's;
//   - the same bits whether the threads run forward or in reverse, which a missing barrier changes;
//   - that nothing else is written: inputs, gaps between strided elements, memory before the first
//     element; what follows the last one cannot be touched at all.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/kernels.h"
#include "tensor/base/dims.h"
#include "tests/cuda/emulation/guarded_memory.h"

namespace athanor::test {

enum class Layout {
  dense,     // row-major
  reversed,  // the first axis fastest
  gaps,      // every second element of each axis
  shifted,   // row-major, one element off the alignment of vectors
  last2,     // the last two axes exchanged in memory
  channels,  // [N, C, ...] with C fastest
};
inline constexpr Layout kLayouts[] = {Layout::dense, Layout::reversed, Layout::gaps,
                                      Layout::shifted, Layout::last2};
const char* name_of(Layout layout);

// Range of the values of an input; special ones (NaN, infinities, zeros of both signs) on request.
struct Values {
  double low = -2, high = 2;
  bool special = false;
};

// Operands of one run, in guarded memory.
class Arena {
 public:
  // Random values, the same for the same sequence of calls.
  Operand input(DType dtype, Dims sizes, Layout layout = Layout::dense, Values values = {});
  // Given values, row by row.
  Operand given(DType dtype, Dims sizes, const std::vector<double>& values,
                Layout layout = Layout::dense);
  // Integers in [0, bound) as i64.
  Operand indices(Dims sizes, std::int64_t bound, Layout layout = Layout::dense);
  Operand output(DType dtype, Dims sizes, Layout layout = Layout::dense);
  // An operand that the kernel reads and writes.
  Operand updated(DType dtype, Dims sizes, Layout layout = Layout::dense, Values values = {});
  // The same memory with stride 0 (and the size given) where `sizes` is not the operand's.
  Operand expanded(const Operand& x, Dims sizes);
  // No operand.
  static Operand none(DType dtype) { return {nullptr, nullptr, nullptr, 0, dtype}; }

  struct Item {
    DType dtype;
    Dims sizes, strides;
    emulation::GuardedMemory memory;
    unsigned char* data;
    bool written;
  };
  const std::deque<Item>& items() const { return items_; }

 private:
  Operand add(DType dtype, Dims sizes, Layout layout, bool written);
  void set(const Operand& x, const std::vector<double>& values);

  std::deque<Item> items_;
  std::deque<Dims> dims_;
  std::uint64_t next_ = 0;
};

// Largest deviation allowed, relative to the largest finite value of the reference's output.
struct Tolerance {
  double f32 = 2e-6, f64 = 1e-13, f16 = 2e-3, bf16 = 1.6e-2;
  double of(DType dtype) const;
};
inline constexpr Tolerance kExact{0, 0, 0, 0};

void compare_arenas(const std::string& name, const Arena& expected, const Arena& forward,
                    const Arena& reverse, const Tolerance& tolerance);
void set_reverse(bool reverse);

template <class Args, class Make>
void check_kernel(const std::string& name, void (*kernel)(const Args&),
                  void (*reference)(const Args&), const Tolerance& tolerance, Make&& make) {
  Arena expected, forward, reverse;
  reference(make(expected));
  set_reverse(false);
  kernel(make(forward));
  set_reverse(true);
  kernel(make(reverse));
  set_reverse(false);
  compare_arenas(name, expected, forward, reverse, tolerance);
}

template <class Args, class Make>
void check_kernel(const std::string& name, void (*kernel)(const Args&),
                  Kernel<Args> Kernels::*entry, const Tolerance& tolerance, Make&& make) {
  check_kernel<Args>(name, kernel, (reference_kernels().*entry).run, tolerance, make);
}

}  // namespace athanor::test
