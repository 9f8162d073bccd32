// Copies with conversion, and fills.
#include <cstring>

#include "tensor/backend/convert.h"
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/loop.cuh"

namespace athanor::cuda {
namespace {

// The same dtype on both sides: bits move, whatever they mean.
template <class Bits, int V>
__global__ void copy_bits(Loop<2> loop, Bits* y, const Bits* x) {
  map<V>(
      loop, [](Bits value) { return value; }, y, x);
}

template <class Bits, int V>
__global__ void fill_bits(Loop<1> loop, Bits* y, Bits value) {
  map<V>(
      loop, [value]() { return value; }, y);
}

template <class X, class Y>
__device__ inline void convert_loop(const Loop<2>& loop, void* y, const X* x) {
  map<kPackSize<X, Y>>(
      loop, [](X value) { return cast_to<Y>(wide(value)); }, static_cast<Y*>(y), x);
}

// One kernel a source dtype; the destination's is the same for all threads.
template <class X>
__global__ void convert(Loop<2> loop, DType to, void* y, const X* x) {
  switch (to) {
    case DType::f32:
      return convert_loop<X, float>(loop, y, x);
    case DType::f64:
      return convert_loop<X, double>(loop, y, x);
    case DType::f16:
      return convert_loop<X, f16>(loop, y, x);
    case DType::bf16:
      return convert_loop<X, bf16>(loop, y, x);
    case DType::i8:
      return convert_loop<X, std::int8_t>(loop, y, x);
    case DType::u8:
      return convert_loop<X, std::uint8_t>(loop, y, x);
    case DType::i32:
      return convert_loop<X, std::int32_t>(loop, y, x);
    case DType::i64:
      return convert_loop<X, std::int64_t>(loop, y, x);
    case DType::boolean:
      return convert_loop<X, bool>(loop, y, x);
  }
}

constexpr int kTile = 32, kTileRows = 8;

// A copy that exchanges two axes: `rows` neighbours of x, `columns` neighbours of y. Tiles go
// through shared memory, so that both sides move whole lines.
struct Exchange {
  std::int64_t rows, columns, y_row_stride, x_column_stride;
  int rank = 0;  // of the other axes
  std::int64_t count = 1, sizes[kMaxRank], strides[kMaxRank][2];
};

template <class Bits>
__global__ void exchange_axes(Exchange p, Bits* y, const Bits* x) {
  __shared__ Bits tile[kTile][kTile + 1];
  const std::int64_t row_tiles = (p.rows + kTile - 1) / kTile;
  const std::int64_t column_tiles = (p.columns + kTile - 1) / kTile;
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  for (std::int64_t t = blockIdx.x; t < p.count * row_tiles * column_tiles; t += gridDim.x) {
    std::int64_t next = quotient(t, column_tiles);
    const std::int64_t first_column = (t - next * column_tiles) * kTile;
    std::int64_t index = quotient(next, row_tiles);
    const std::int64_t first_row = (next - index * row_tiles) * kTile;
    std::int64_t at[2] = {0, 0};
    for (int axis = p.rank - 1; axis >= 0; --axis) {
      next = quotient(index, p.sizes[axis]);
      for (int k = 0; k < 2; ++k) at[k] += (index - next * p.sizes[axis]) * p.strides[axis][k];
      index = next;
    }
    for (int i = ty; i < kTile; i += kTileRows) {
      const std::int64_t row = first_row + tx, column = first_column + i;
      if (row < p.rows && column < p.columns) {
        tile[i][tx] = x[at[1] + row + column * p.x_column_stride];
      }
    }
    __syncthreads();
    for (int i = ty; i < kTile; i += kTileRows) {
      const std::int64_t row = first_row + i, column = first_column + tx;
      if (row < p.rows && column < p.columns) {
        y[at[0] + row * p.y_row_stride + column] = tile[tx][i];
      }
    }
    __syncthreads();
  }
}

// Whether the copy exchanges axes, and how.
bool plan_exchange(const LoopPlan<2>& plan, Exchange* exchange) {
  const int inner = plan.rank - 1;
  int other = -1;
  for (int axis = 0; axis < inner; ++axis) {
    if (plan.strides[axis][1] == 1 && plan.sizes[axis] >= kTile / 2) other = axis;
  }
  if (other < 0 || plan.sizes[inner] < kTile / 2 || plan.strides[inner][0] != 1) return false;
  exchange->rows = plan.sizes[other];
  exchange->columns = plan.sizes[inner];
  exchange->y_row_stride = plan.strides[other][0];
  exchange->x_column_stride = plan.strides[inner][1];
  for (int axis = 0; axis < inner; ++axis) {
    if (axis == other) continue;
    exchange->count *= plan.sizes[axis];
    exchange->sizes[exchange->rank] = plan.sizes[axis];
    for (int k = 0; k < 2; ++k) exchange->strides[exchange->rank][k] = plan.strides[axis][k];
    ++exchange->rank;
  }
  return exchange->count > 0;
}

template <class Bits>
void launch_exchange(const Exchange& p, const CopyArgs& args) {
  const std::int64_t tiles =
      p.count * ((p.rows + kTile - 1) / kTile) * ((p.columns + kTile - 1) / kTile);
  launch_kernel(exchange_axes<Bits>, grid_for(tiles, 1), Dim3{kTile, kTileRows}, 0,
                current_stream(), p, args.y.as<Bits>(), args.x.as<const Bits>());
}

}  // namespace

void copy(const CopyArgs& args) {
  const LoopPlan<2> plan = plan_loop<2>({&args.y, &args.x});
  if (args.x.dtype == args.y.dtype) {
    Exchange exchange;
    const bool exchanges = plan_exchange(plan, &exchange);
    return visit_bits(args.x.dtype, [&]<class Bits>(Tag<Bits>) {
      if (exchanges) return launch_exchange<Bits>(exchange, args);
      constexpr int V = 16 / sizeof(Bits);
      const auto run = [](const Loop<2>& loop, Bits* y, const Bits* x) {
        launch_loop(loop, copy_bits<Bits, V>, y, x);
      };
      for_each_loop<V>(plan, run, args.y.as<Bits>(), args.x.as<const Bits>());
    });
  }
  visit(args.x.dtype, [&]<class X>(Tag<X>) {
    visit(args.y.dtype, [&]<class Y>(Tag<Y>) {
      const auto run = [&](const Loop<2>& loop, Y* y, const X* x) {
        launch_loop(loop, convert<X>, args.y.dtype, static_cast<void*>(y), x);
      };
      for_each_loop<kPackSize<X, Y>>(plan, run, args.y.as<Y>(), args.x.as<const X>());
    });
  });
}

void fill(const FillArgs& args) {
  const LoopPlan<1> plan = plan_loop<1>({&args.y});
  visit(args.y.dtype, [&]<class Y>(Tag<Y>) {
    const Y value = converted<Y>(args.value);
    visit_bits(args.y.dtype, [&]<class Bits>(Tag<Bits>) {
      constexpr int V = 16 / sizeof(Bits);
      Bits bits{};
      std::memcpy(&bits, static_cast<const void*>(&value),
                  sizeof(bits) < sizeof(value) ? sizeof(bits) : sizeof(value));
      const auto run = [&](const Loop<1>& loop, Bits* y) {
        launch_loop(loop, fill_bits<Bits, V>, y, bits);
      };
      for_each_loop<V>(plan, run, args.y.as<Bits>());
    });
  });
}

}  // namespace athanor::cuda
