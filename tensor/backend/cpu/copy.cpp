#include <bit>
#include <cmath>
#include <limits>

#include "tensor/backend/convert.h"
#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/elementwise.h"
#include "tensor/backend/kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/map.h"
#include "tensor/backend/cpu/row.h"
#include "tensor/backend/cpu/turn.h"

namespace {

template <class T>
constexpr bool kIsFloat = std::is_same_v<T, float> || std::is_same_v<T, double> ||
                          std::is_same_v<T, f16> || std::is_same_v<T, bf16>;

// Conversions with a vector loop: among floating types, and between f32 and every other type. The
// others are rare; the reference kernel does them (81 loops took a tenth of the library's build).
template <class X, class Y>
constexpr bool kHasLoop =
    (kIsFloat<X> && kIsFloat<Y>) || std::is_same_v<X, float> || std::is_same_v<Y, float>;

// Whether the planes of the two innermost axes are matrices that the copy turns: what lies side by
// side in y is a stride apart in x, and the other way around.
bool turns(const LoopPlan<2>& plan) {
  const int inner = plan.rank - 1, outer = plan.rank - 2;
  return plan.rank >= 2 && plan.strides[inner][0] == 1 && plan.strides[outer][1] == 1 &&
         plan.sizes[inner] >= 8 && plan.sizes[outer] >= 8;
}

// y [rows, n] = the transpose of x [n, rows], by blocks of 8 x 8.
void turn_band(std::int64_t rows, std::int64_t n, const float* x, std::int64_t x_row, float* y,
               std::int64_t y_row) {
  const std::int64_t whole_rows = rows / 8 * 8, whole = n / 8 * 8;
  for (std::int64_t j = 0; j < whole; j += 8) {
    for (std::int64_t i = 0; i < whole_rows; i += 8) {
      turn_block(x + j * x_row + i, x_row, y + i * y_row + j, y_row);
    }
    for (std::int64_t i = whole_rows; i < rows; ++i) {
      for (std::int64_t k = j; k < j + 8; ++k) y[i * y_row + k] = x[k * x_row + i];
    }
  }
  for (std::int64_t j = whole; j < n; ++j) {
    for (std::int64_t i = 0; i < rows; ++i) y[i * y_row + j] = x[j * x_row + i];
  }
}

// 32 bits each. y [m, n] = the transpose of x [n, m] for each plane, in bands of 16 rows of y,
// which use whole lines of x.
void copy_turned(LoopPlan<2> plan, const float* x, float* y) {
  const int inner = plan.rank - 1, outer = plan.rank - 2;
  const std::int64_t n = plan.sizes[inner], m = plan.sizes[outer];
  const std::int64_t x_row = plan.strides[inner][1], y_row = plan.strides[outer][0];
  constexpr std::int64_t kBand = 16;
  const std::int64_t bands = (m + kBand - 1) / kBand;
  plan.sizes[outer] = 1;  // its bands are counted apart
  parallel_for(plan.outer_count() * bands, kMapGrain / (n * kBand) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t task = begin; task < end; ++task) {
                   const auto at = plan.outer_offsets(task / bands);
                   const std::int64_t first = task % bands * kBand;
                   turn_band(m - first < kBand ? m - first : kBand, n, x + at[1] + first, x_row,
                             y + at[0] + first * y_row, y_row);
                 }
               });
}

// Same dtype: the bits, whatever they mean.
template <class Bits>
void copy_bits(const LoopPlan<2>& plan, const CopyArgs& args) {
  if constexpr (kTurns<Bits>) {
    // Loads, stores and shuffles of floats keep every bit.
    if (turns(plan)) return copy_turned(plan, args.x.as<float>(), args.y.as<float>());
  }
  map_unary(plan, args.x.as<Bits>(), args.y.as<Bits>(), [](Bits value) { return value; });
}

}  // namespace

void copy(const CopyArgs& args) {
  const LoopPlan<2> plan = plan_loop<2>({&args.y, &args.x});
  if (args.x.dtype == args.y.dtype) {
    switch (size_of(args.x.dtype)) {
      case 1:
        return copy_bits<std::uint8_t>(plan, args);
      case 2:
        return copy_bits<std::uint16_t>(plan, args);
      case 4:
        return copy_bits<std::uint32_t>(plan, args);
      default:
        return copy_bits<std::uint64_t>(plan, args);
    }
  }
  visit(args.x.dtype, [&]<class X>(Tag<X>) {
    visit(args.y.dtype, [&]<class Y>(Tag<Y>) {
      if constexpr (kHasLoop<X, Y> && !std::is_same_v<X, Y>) {
        map_unary(plan, args.x.as<X>(), args.y.as<Y>(),
                  [](X value) { return converted<Y>(static_cast<compute_t<X>>(value)); });
      } else {
        reference_kernels().copy.run(args);
      }
    });
  });
}

void fill(const FillArgs& args) {
  const LoopPlan<2> plan = plan_loop<2>({&args.y, &args.y});
  visit(args.y.dtype, [&]<class Y>(Tag<Y>) {
    const Y value = converted<Y>(args.value);
    // By reference, so that the old element is not read: uninitialised memory is no valid bool.
    map_unary(plan, args.y.as<Y>(), args.y.as<Y>(), [value](const Y&) { return value; });
  });
}

#include "tensor/backend/cpu/isa_end.h"
