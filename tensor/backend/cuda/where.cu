// z = condition ? x : y.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/loop.cuh"

namespace athanor::cuda {
namespace {

template <class Bits, int V>
__global__ void where_bits(Loop<4> loop, Bits* z, const bool* condition, const Bits* x,
                           const Bits* y) {
  map<V>(
      loop, [](bool first, Bits a, Bits b) { return first ? a : b; }, z, condition, x, y);
}

}  // namespace

void where(const WhereArgs& args) {
  const LoopPlan<4> plan = plan_loop<4>({&args.z, &args.condition, &args.x, &args.y});
  visit_bits(args.z.dtype, [&]<class Bits>(Tag<Bits>) {
    constexpr int V = kPackSize<Bits>;
    const auto run = [](const Loop<4>& loop, Bits* z, const bool* condition, const Bits* x,
                        const Bits* y) {
      launch_loop(loop, where_bits<Bits, V>, z, condition, x, y);
    };
    for_each_loop<V>(plan, run, args.z.as<Bits>(), args.condition.as<const bool>(),
                     args.x.as<const Bits>(), args.y.as<const Bits>());
  });
}

}  // namespace athanor::cuda
