#include "tensor/backend/convert.h"
#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/elementwise.h"
#include "tensor/backend/kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/map.h"

namespace {

template <class T>
constexpr bool kIsFloat = std::is_same_v<T, float> || std::is_same_v<T, double> ||
                          std::is_same_v<T, f16> || std::is_same_v<T, bf16>;

// Conversions with a vector loop: among floating types, and between f32 and every other type. The
// others are rare; the reference kernel does them (81 loops took a tenth of the library's build).
template <class X, class Y>
constexpr bool kHasLoop =
    (kIsFloat<X> && kIsFloat<Y>) || std::is_same_v<X, float> || std::is_same_v<Y, float>;

// Same dtype: the bits, whatever they mean.
template <class Bits>
void copy_bits(const LoopPlan<2>& plan, const CopyArgs& args) {
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
