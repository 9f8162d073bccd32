// Sums and other reductions over any axes, in an order that the sizes alone fix.
//
// Axes are taken in x's memory order. Where the innermost one is reduced, a group of threads joins
// each result; where it is kept, a block walks down 32 columns. Long reductions with few results
// are cut into parts, which a second launch joins in order.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {
namespace {

constexpr int kTileRows = 8;
constexpr int kAhead = 8;             // loads that a thread has under way
constexpr std::int64_t kPart = 8192;  // elements that one part joins at least
constexpr std::int64_t kMostParts = 512;

struct Axes {
  int rank = 0;
  std::int64_t count = 1;
  std::int64_t sizes[kMaxRank], x_strides[kMaxRank], y_strides[kMaxRank];

  void add(std::int64_t size, std::int64_t x_stride, std::int64_t y_stride) {
    sizes[rank] = size;
    x_strides[rank] = x_stride;
    y_strides[rank++] = y_stride;
    count *= size;
  }
  __device__ std::int64_t offset(std::int64_t index, const std::int64_t* strides) const {
    std::int64_t at = 0;
    for (int i = rank - 1; i >= 0; --i) {
      const std::int64_t next = i > 0 ? quotient(index, sizes[i]) : 0;
      at += (index - next * sizes[i]) * strides[i];
      index = next;
    }
    return at;
  }
};

// Results are numbered along the kept axes; with an inner kept axis it comes last.
struct ReducePlan {
  Axes kept, reduced;
  bool inner_reduced = true;
  std::int64_t parts = 1, part_size = 1;
};

// What an operation joins: `load` an element, Join, `store` the result. Minimum and `all` are the
// maximum and `any` of flipped values.
template <class T>
struct SumReduction {
  using A = std::conditional_t<std::is_integral_v<T>, std::uint64_t, compute_t<T>>;
  using Join = Sum<A>;
  using Result = T;
  __device__ A load(T value) const { return static_cast<A>(wide(value)); }
  __device__ T store(A value) const { return narrow<T>(static_cast<compute_t<T>>(value)); }
};
template <class T>
struct ExtremeReduction {
  using A = compute_t<T>;
  using Join = Max<A>;
  using Result = T;
  bool minimum;

  __device__ A flipped(A value) const {
    if (!minimum) return value;
    if constexpr (std::is_integral_v<A>) return static_cast<A>(~value);
    return -value;
  }
  __device__ A load(T value) const { return flipped(wide(value)); }
  __device__ T store(A value) const { return narrow<T>(flipped(value)); }
};
template <class T>
struct TruthReduction {
  using A = unsigned;
  using Join = Max<A>;
  using Result = bool;
  bool all;

  __device__ A load(T value) const { return (wide(value) != compute_t<T>(0)) != all ? 1u : 0u; }
  __device__ bool store(A value) const { return (value != 0u) != all; }
};

template <class T, class F>
__device__ inline void with_reduction(ReduceOp op, const F& f) {
  if constexpr (!std::is_same_v<T, bool>) {
    if (op == ReduceOp::sum) return f(SumReduction<T>{});
    if (op == ReduceOp::max || op == ReduceOp::min) {
      return f(ExtremeReduction<T>{op == ReduceOp::min});
    }
  }
  f(TruthReduction<T>{op == ReduceOp::all});
}

// Writes a result, or the sum of a part to partial [parts, results].
template <class R>
__device__ inline void write(const R& reduction, const ReducePlan& plan, std::int64_t part,
                             std::int64_t result, typename R::A value, void* y, void* partial) {
  if (plan.parts == 1) {
    const std::int64_t at = plan.kept.offset(result, plan.kept.y_strides);
    static_cast<typename R::Result*>(y)[at] = reduction.store(value);
  } else {
    static_cast<typename R::A*>(partial)[part * plan.kept.count + result] = value;
  }
}

// A group a result (and part).
template <class T>
__global__ void __launch_bounds__(kMostGroup)
    reduce_rows(int threads, ReduceOp op, ReducePlan plan, const T* x, void* y, void* partial) {
  const Group group(threads);
  with_reduction<T>(op, [&](auto reduction) {
    using R = decltype(reduction);
    using A = typename R::A;
    const std::int64_t items = plan.kept.count * plan.parts;
    for_each_turn(group, items, [&](std::int64_t item, bool present) {
      A total = R::Join::identity();
      const std::int64_t part = present ? item / plan.kept.count : 0;
      const std::int64_t result = present ? item - part * plan.kept.count : 0;
      if (present) {
        const T* from = x + plan.kept.offset(result, plan.kept.x_strides);
        const std::int64_t first = part * plan.part_size;
        const std::int64_t rest = plan.reduced.count - first;
        const std::int64_t count = rest < plan.part_size ? rest : plan.part_size;
        if (plan.reduced.rank <= 1) {
          const std::int64_t stride = plan.reduced.rank == 1 ? plan.reduced.x_strides[0] : 1;
          for_row(
              group, count,
              [&](std::int64_t, T value) { total = R::Join::join(total, reduction.load(value)); },
              RowOf<const T>{from + first * stride, stride});
        } else {
          for (std::int64_t i = group.rank(); i < count; i += group.size()) {
            const std::int64_t at = plan.reduced.offset(first + i, plan.reduced.x_strides);
            total = R::Join::join(total, reduction.load(from[at]));
          }
        }
      }
      total = group.all<typename R::Join>(total);
      if (present && group.rank() == 0) write(reduction, plan, part, result, total, y, partial);
    });
  });
}

// A block of 32 x 8 threads takes 32 neighbouring results; gridDim.y parts.
template <class T>
__global__ void reduce_columns(ReduceOp op, ReducePlan plan, const T* x, void* y, void* partial) {
  [[maybe_unused]] __shared__ uint2 words[kTileRows * kWarp];
  with_reduction<T>(op, [&](auto reduction) {
    using R = decltype(reduction);
    using A = typename R::A;
    A* shared = reinterpret_cast<A*>(words);
    const std::int64_t part = blockIdx.y, first = part * plan.part_size;
    const std::int64_t end =
        first + plan.part_size < plan.reduced.count ? first + plan.part_size : plan.reduced.count;
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kWarp;
    for (std::int64_t tile = static_cast<std::int64_t>(blockIdx.x) * kWarp; tile < plan.kept.count;
         tile += step) {
      const std::int64_t result = tile + threadIdx.x;
      A total = R::Join::identity();
      if (result < plan.kept.count) {
        const T* from = x + plan.kept.offset(result, plan.kept.x_strides);
        std::int64_t r = first + threadIdx.y;
        if (plan.reduced.rank == 1) {
          // The next loads are under way before the first one is needed.
          const std::int64_t stride = plan.reduced.x_strides[0];
          for (; r + (kAhead - 1) * kTileRows < end; r += kAhead * kTileRows) {
            T ahead[kAhead];
#pragma unroll
            for (int i = 0; i < kAhead; ++i) ahead[i] = from[(r + i * kTileRows) * stride];
#pragma unroll
            for (int i = 0; i < kAhead; ++i) {
              total = R::Join::join(total, reduction.load(ahead[i]));
            }
          }
        }
        for (; r < end; r += kTileRows) {
          const std::int64_t at = plan.reduced.offset(r, plan.reduced.x_strides);
          total = R::Join::join(total, reduction.load(from[at]));
        }
      }
      shared[threadIdx.y * kWarp + threadIdx.x] = total;
      __syncthreads();
      if (threadIdx.y == 0 && result < plan.kept.count) {
        for (int i = 1; i < kTileRows; ++i) {
          total = R::Join::join(total, shared[i * kWarp + static_cast<int>(threadIdx.x)]);
        }
        write(reduction, plan, part, result, total, y, partial);
      }
      __syncthreads();
    }
  });
}

// y[result] = the join of partial [parts, results] over parts, in order.
template <class T>
__global__ void join_parts(ReduceOp op, ReducePlan plan, void* y, const void* partial) {
  with_reduction<T>(op, [&](auto reduction) {
    using R = decltype(reduction);
    using A = typename R::A;
    const A* values = static_cast<const A*>(partial);
    for (std::int64_t i = grid_thread(); i < plan.kept.count; i += grid_threads()) {
      A total = values[i];
      for (std::int64_t part = 1; part < plan.parts; ++part) {
        total = R::Join::join(total, values[part * plan.kept.count + i]);
      }
      const std::int64_t at = plan.kept.offset(i, plan.kept.y_strides);
      static_cast<typename R::Result*>(y)[at] = reduction.store(total);
    }
  });
}

ReducePlan plan_reduce(const ReduceArgs& args) {
  const LoopPlan<2> loop = plan_loop<2>({&args.x, &args.y});
  ReducePlan plan;
  for (int i = 0; i < loop.rank; ++i) {
    const std::int64_t xs = loop.strides[i][0], ys = loop.strides[i][1];
    (ys == 0 ? plan.reduced : plan.kept).add(loop.sizes[i], xs, ys);
    plan.inner_reduced = ys == 0;
  }
  // Parts for a reduction too long for the few threads that its results would occupy.
  const std::int64_t lanes = plan.inner_reduced ? 256 : kTileRows;
  const bool few = plan.kept.count * lanes < 64 * 1024;
  if (few && plan.reduced.count >= 2 * kPart / (plan.inner_reduced ? 1 : 32)) {
    const std::int64_t part = kPart / (plan.inner_reduced ? 1 : 32);
    plan.parts = (plan.reduced.count + part - 1) / part;
    if (plan.parts > kMostParts) plan.parts = kMostParts;
  }
  plan.part_size = (plan.reduced.count + plan.parts - 1) / plan.parts;
  if (plan.part_size > 0) plan.parts = (plan.reduced.count + plan.part_size - 1) / plan.part_size;
  return plan;
}

}  // namespace

void reduce(const ReduceArgs& args) {
  const ReducePlan plan = plan_reduce(args);
  if (plan.kept.count == 0) return;
  const std::size_t words =
      plan.parts == 1 ? 0 : static_cast<std::size_t>(plan.parts * plan.kept.count);
  const Workspace workspace(words * sizeof(std::uint64_t));
  void* partial = workspace.as<void>();
  visit(args.x.dtype, [&]<class T>(Tag<T>) {
    const T* x = args.x.as<const T>();
    if (plan.inner_reduced) {
      launch_rows(plan_groups(plan.kept.count * plan.parts, plan.part_size, false), reduce_rows<T>,
                  args.op, plan, x, args.y.data, partial);
    } else {
      const Dim3 grid{grid_for((plan.kept.count + kWarp - 1) / kWarp, 1).x,
                      static_cast<unsigned>(plan.parts)};
      launch_kernel(reduce_columns<T>, grid, Dim3{kWarp, kTileRows}, 0, current_stream(), args.op,
                    plan, x, args.y.data, partial);
    }
    if (plan.parts > 1) {
      launch_kernel(join_parts<T>, grid_for(plan.kept.count), Dim3{kBlock}, 0, current_stream(),
                    args.op, plan, args.y.data, partial);
    }
  });
}

}  // namespace athanor::cuda
