#include "tests/cuda/kernel_check.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "tensor/backend/convert.h"
#include "tests/cuda/emulation/block.h"

namespace athanor::test {
namespace {

// Axes from the slowest to the fastest in memory.
std::vector<int> memory_order(int rank, Layout layout) {
  std::vector<int> order;
  for (int i = 0; i < rank; ++i) order.push_back(i);
  if (layout == Layout::reversed) std::reverse(order.begin(), order.end());
  if (layout == Layout::last2 && rank >= 2) std::swap(order[rank - 1], order[rank - 2]);
  if (layout == Layout::channels && rank >= 3)
    std::rotate(&order[1], &order[2], order.end().base());
  return order;
}

Dims strides_of(const Dims& sizes, Layout layout) {
  Dims strides = Dims::filled(sizes.size(), 1);
  const std::vector<int> order = memory_order(sizes.size(), layout);
  const std::int64_t gap = layout == Layout::gaps ? 2 : 1;
  std::int64_t step = gap;
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    strides[*axis] = step;
    step *= std::max<std::int64_t>(sizes[*axis], 1) * gap;
  }
  return strides;
}

std::int64_t numel(const Dims& sizes) {
  std::int64_t n = 1;
  for (std::int64_t s : sizes) n *= s;
  return n;
}

// Calls f(byte offset) for each element, row by row.
template <class F>
void for_each_element(const Dims& sizes, const Dims& strides, DType dtype, F&& f) {
  std::int64_t index[kMaxRank] = {};
  for (std::int64_t i = numel(sizes); i > 0; --i) {
    std::int64_t at = 0;
    for (int axis = 0; axis < sizes.size(); ++axis) at += index[axis] * strides[axis];
    f(at * size_of(dtype));
    for (int axis = sizes.size() - 1; axis >= 0 && ++index[axis] == sizes[axis]; --axis) {
      index[axis] = 0;
    }
  }
}

double value_at(const unsigned char* at, DType dtype) {
  return visit(dtype, [&]<class T>(Tag<T>) {
    T value;
    std::memcpy(static_cast<void*>(&value), at, sizeof(T));
    return static_cast<double>(static_cast<compute_t<T>>(value));
  });
}

std::vector<double> random_values(std::int64_t n, std::uint64_t stream, Values range, DType dtype) {
  std::mt19937_64 generator(7 + stream);
  std::vector<double> values(static_cast<std::size_t>(n));
  constexpr double inf = std::numeric_limits<double>::infinity();
  const double special[] = {std::nan(""), inf, -inf, 0.0, -0.0};
  for (double& value : values) {
    const double uniform = static_cast<double>(generator() >> 11) * 0x1p-53;
    value = range.low + (range.high - range.low) * uniform;
    if (!is_floating(dtype)) value = std::floor(value);
    if (dtype == DType::boolean) value = static_cast<double>(generator() % 2);
    const std::uint64_t pick = generator() % 32;
    if (range.special && is_floating(dtype) && pick < 5) value = special[pick];
  }
  return values;
}

}  // namespace

const char* name_of(Layout layout) {
  constexpr const char* names[] = {"dense", "reversed", "gaps", "shifted", "last2", "channels"};
  return names[static_cast<int>(layout)];
}

double Tolerance::of(DType dtype) const {
  switch (dtype) {
    case DType::f32:
      return f32;
    case DType::f64:
      return f64;
    case DType::f16:
      return f16;
    case DType::bf16:
      return bf16;
    default:
      return 0;
  }
}

void set_reverse(bool reverse) {
  emulation::set_order(reverse ? emulation::Order::reverse : emulation::Order::forward);
}

Operand Arena::add(DType dtype, Dims sizes, Layout layout, bool written) {
  const Dims strides = strides_of(sizes, layout);
  std::int64_t span = numel(sizes) > 0 ? 1 : 0;
  for (int i = 0; i < sizes.size() && span > 0; ++i) span += (sizes[i] - 1) * strides[i];
  const std::int64_t before = layout == Layout::shifted ? 1 : 0;
  // One that is shifted needs no alignment of its end either, so that a guard page follows it.
  const auto bytes = static_cast<std::size_t>((span + before) * size_of(dtype));
  emulation::GuardedMemory memory(bytes, before ? static_cast<std::size_t>(size_of(dtype)) : 16);
  unsigned char* data = memory.data() + before * size_of(dtype);
  if (before && reinterpret_cast<std::uintptr_t>(data) % 16 == 0) data -= size_of(dtype);
  items_.push_back({dtype, sizes, strides, std::move(memory), data, written});
  const Item& item = items_.back();
  return {item.data, item.sizes.begin(), item.strides.begin(), sizes.size(), dtype};
}

void Arena::set(const Operand& x, const std::vector<double>& values) {
  const Item& item = items_.back();
  std::size_t next = 0;
  visit(x.dtype, [&]<class T>(Tag<T>) {
    for_each_element(item.sizes, item.strides, x.dtype, [&](std::int64_t at) {
      const T value = converted<T>(values.at(next++));
      std::memcpy(item.data + at, &value, sizeof(T));
    });
  });
}

Operand Arena::input(DType dtype, Dims sizes, Layout layout, Values values) {
  const Operand x = add(dtype, sizes, layout, false);
  set(x, random_values(numel(sizes), next_++, values, dtype));
  return x;
}

Operand Arena::given(DType dtype, Dims sizes, const std::vector<double>& values, Layout layout) {
  const Operand x = add(dtype, sizes, layout, false);
  set(x, values);
  return x;
}

Operand Arena::indices(Dims sizes, std::int64_t bound, Layout layout) {
  const Operand x = add(DType::i64, sizes, layout, false);
  std::mt19937_64 generator(11 + next_++);
  std::vector<double> values(static_cast<std::size_t>(numel(sizes)));
  for (double& value : values) {
    value = static_cast<double>(generator() % static_cast<std::uint64_t>(bound));
  }
  set(x, values);
  return x;
}

Operand Arena::output(DType dtype, Dims sizes, Layout layout) {
  return add(dtype, sizes, layout, true);
}

Operand Arena::updated(DType dtype, Dims sizes, Layout layout, Values values) {
  const Operand x = add(dtype, sizes, layout, true);
  set(x, random_values(numel(sizes), next_++, values, dtype));
  return x;
}

Operand Arena::expanded(const Operand& x, Dims sizes) {
  const int added = sizes.size() - x.rank;
  Dims strides = Dims::filled(sizes.size(), 0);
  for (int i = added; i < sizes.size(); ++i) {
    if (x.sizes[i - added] == sizes[i]) strides[i] = x.strides[i - added];
  }
  dims_.push_back(sizes);
  const Dims& kept_sizes = dims_.back();
  dims_.push_back(strides);
  return {x.data, kept_sizes.begin(), dims_.back().begin(), sizes.size(), x.dtype};
}

namespace {

// The largest finite magnitude of the item's elements.
double scale_of(const Arena::Item& item) {
  double largest = 0;
  for_each_element(item.sizes, item.strides, item.dtype, [&](std::int64_t at) {
    const double value = std::abs(value_at(item.data + at, item.dtype));
    if (std::isfinite(value)) largest = std::max(largest, value);
  });
  return largest;
}

void compare_item(const std::string& name, const Arena::Item& expected, const Arena::Item& actual,
                  double tolerance) {
  const double limit = tolerance * std::max(scale_of(expected), 1e-30);
  std::int64_t wrong = 0, element = 0;
  std::string first;
  for_each_element(expected.sizes, expected.strides, expected.dtype, [&](std::int64_t at) {
    const double want = value_at(expected.data + at, expected.dtype);
    const double got = value_at(actual.data + at, actual.dtype);
    const bool same = want == got || (want != want && got != got) || std::abs(want - got) <= limit;
    if (!same && wrong++ == 0) first = str("element ", element, " is ", got, ", expected ", want);
    ++element;
  });
  INFO(name << ": " << wrong << " of " << element << " elements differ by more than " << limit
            << "; " << first);
  CHECK(wrong == 0);
}

// The memory with every element replaced by 0: what must not have been written.
std::vector<unsigned char> untouched(const Arena::Item& item) {
  std::vector<unsigned char> bytes(item.memory.data(), item.memory.data() + item.memory.size());
  if (!item.written) return bytes;
  const std::int64_t start = item.data - item.memory.data();
  for_each_element(item.sizes, item.strides, item.dtype, [&](std::int64_t at) {
    std::memset(bytes.data() + start + at, 0, static_cast<std::size_t>(size_of(item.dtype)));
  });
  return bytes;
}

bool same_memory(const Arena::Item& a, const Arena::Item& b) {
  return std::memcmp(a.memory.data(), b.memory.data(), a.memory.size()) == 0;
}

}  // namespace

void compare_arenas(const std::string& name, const Arena& expected, const Arena& forward,
                    const Arena& reverse, const Tolerance& tolerance) {
  REQUIRE(expected.items().size() == forward.items().size());
  for (std::size_t i = 0; i < expected.items().size(); ++i) {
    const Arena::Item &want = expected.items()[i], &got = forward.items()[i];
    const std::string operand = str(name, ", operand ", i, " ", got.dtype);
    if (want.written) compare_item(operand, want, got, tolerance.of(want.dtype));
    INFO(operand);
    CHECK(untouched(want) == untouched(got));
    CHECK(same_memory(got, reverse.items()[i]));
  }
}

}  // namespace athanor::test
