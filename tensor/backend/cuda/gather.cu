// Reading and adding along an index.
//
// Sums are deterministic without atomics: the destinations are sorted (stably, so that equal ones
// keep the order of their index), and each destination's run of entries is added in that order.
// Runs are cut at multiples of kPiece entries: inner pieces are summed first, side by side, so that
// one very frequent destination does not leave the device to a single thread.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/group.cuh"
#include "tensor/backend/cuda/sort.cuh"

namespace athanor::cuda {
namespace {

constexpr std::int64_t kPiece = 256;

// y[o, i, u] = x[o, index[i], u] in units of Bits, `units` to a row.
template <class Bits>
__global__ void select_units(std::int64_t count, std::int64_t n, std::int64_t m, std::int64_t units,
                             const std::int64_t* index, const Bits* x, Bits* y,
                             std::int32_t* error) {
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const std::int64_t row = quotient(i, units), u = i - row * units;
    const std::int64_t o = quotient(row, m), from = index[row - o * m];
    y[i] = check_index(from, n, error) ? x[(o * n + from) * units + u] : Bits{};
  }
}

// y[o, i, k] = x[o, index[o, i, k], k].
template <class Bits>
__global__ void gather_elements(std::int64_t count, std::int64_t n, std::int64_t m,
                                std::int64_t inner, const std::int64_t* index, const Bits* x,
                                Bits* y, std::int32_t* error) {
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const std::int64_t row = quotient(i, inner), k = i - row * inner, o = quotient(row, m);
    const std::int64_t from = index[i];
    y[i] = check_index(from, n, error) ? x[(o * n + from) * inner + k] : Bits{};
  }
}

// The destination of each entry of a full index [outer, m, inner], as a place of y; of an index [m]
// (outer 1, inner 1), its row. Those out of range get the largest key, which no run is made of.
__global__ void destination_keys(std::int64_t count, std::int64_t n, std::int64_t m,
                                 std::int64_t inner, const std::int64_t* index, std::uint64_t* keys,
                                 std::int32_t* error) {
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const std::int64_t row = quotient(i, inner), k = i - row * inner, o = quotient(row, m);
    const std::int64_t to = index[i];
    keys[i] = check_index(to, n, error) ? static_cast<std::uint64_t>((o * n + to) * inner + k)
                                        : ~std::uint64_t{0};
  }
}

// Sorted entries: m destinations and sources, in each of `outer` slices with rows of `inner`.
struct Runs {
  SortedKeys sorted;
  std::int64_t m, n, outer, inner;
};

template <class T>
__device__ inline long_sum_t<T> entry(const Runs& r, const T* x, std::int64_t slot, std::int64_t o,
                                      std::int64_t k) {
  const std::int64_t from = r.sorted.positions[slot];
  return static_cast<long_sum_t<T>>(wide(x[(o * r.m + from) * r.inner + k]));
}

// The sum of the run's entries from `slot` to the next multiple of kPiece or the run's end.
template <class T>
__device__ inline long_sum_t<T> sum_piece(const Runs& r, const T* x, std::int64_t slot,
                                          std::int64_t o, std::int64_t k) {
  const std::uint64_t key = r.sorted.keys[slot];
  const std::int64_t cut = (slot / kPiece + 1) * kPiece, last = cut < r.m ? cut : r.m;
  long_sum_t<T> sum = 0;
  for (; slot < last && r.sorted.keys[slot] == key; ++slot) sum += entry(r, x, slot, o, k);
  return sum;
}

// pieces [m / kPiece, outer, inner]: the sums that start at multiples of kPiece.
template <class T>
__global__ void sum_pieces(Runs r, const T* x, long_sum_t<T>* pieces) {
  const std::int64_t row = r.outer * r.inner, count = (r.m + kPiece - 1) / kPiece * row;
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const std::int64_t piece = quotient(i, row), in_row = i - piece * row;
    const std::int64_t o = quotient(in_row, r.inner);
    pieces[i] = sum_piece(r, x, piece * kPiece, o, in_row - o * r.inner);
  }
}

// y[o, destination, k] += the run's sum, at each slot that starts a run.
template <class T>
__global__ void add_runs(Runs r, const T* x, const long_sum_t<T>* pieces, T* y) {
  const std::int64_t row = r.outer * r.inner, count = r.m * row;
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const std::int64_t slot = quotient(i, row), in_row = i - slot * row;
    const std::uint64_t key = r.sorted.keys[slot];
    if (key == ~std::uint64_t{0} || (slot > 0 && r.sorted.keys[slot - 1] == key)) continue;
    const std::int64_t o = quotient(in_row, r.inner), k = in_row - o * r.inner;
    T* to = y + (o * r.n + static_cast<std::int64_t>(key)) * r.inner + k;
    long_sum_t<T> sum = static_cast<long_sum_t<T>>(wide(*to)) + sum_piece(r, x, slot, o, k);
    for (std::int64_t next = (slot / kPiece + 1) * kPiece; next < r.m && r.sorted.keys[next] == key;
         next += kPiece) {
      sum += pieces[next / kPiece * row + in_row];
    }
    *to = narrow<T>(static_cast<compute_t<T>>(sum));
  }
}

// Adds rows of x [outer, m, inner] to y [outer, n, inner] where `keys` [m] say.
void add_sorted(DType dtype, std::uint64_t* keys, void* scratch, std::int64_t* pieces, Runs runs,
                const Operand& x, const Operand& y) {
  runs.sorted = sort_keys(keys, 1, runs.m, scratch);
  visit(dtype, [&]<class T>(Tag<T>) {
    long_sum_t<T>* sums = reinterpret_cast<long_sum_t<T>*>(pieces);
    const std::int64_t row = runs.outer * runs.inner;
    if (runs.m > kPiece) {
      launch_kernel(sum_pieces<T>, grid_for((runs.m + kPiece - 1) / kPiece * row), Dim3{kBlock}, 0,
                    current_stream(), runs, x.as<const T>(), sums);
    }
    launch_kernel(add_runs<T>, grid_for(runs.m * row), Dim3{kBlock}, 0, current_stream(), runs,
                  x.as<const T>(), sums, y.as<T>());
  });
}

// Keys, the sort's scratch memory and the sums of pieces, in one block of memory.
class SortMemory {
 public:
  SortMemory(std::int64_t m, std::int64_t row)
      : m_(m),
        pieces_((m + kPiece - 1) / kPiece * row),
        workspace_(static_cast<std::size_t>(m + pieces_) * 8 + sort_scratch_bytes(1, m)) {}
  std::int64_t* pieces() const { return workspace_.as<std::int64_t>(); }
  std::uint64_t* keys() const { return workspace_.as<std::uint64_t>() + pieces_; }
  void* scratch() const { return keys() + m_; }

 private:
  std::int64_t m_, pieces_;
  Workspace workspace_;
};

// The largest unit of at most 16 bytes that rows of `bytes` and both addresses allow.
int unit_of(std::int64_t bytes, const void* x, const void* y) {
  const auto all = static_cast<std::uintptr_t>(bytes) | reinterpret_cast<std::uintptr_t>(x) |
                   reinterpret_cast<std::uintptr_t>(y);
  int unit = 16;
  while (all % static_cast<std::uintptr_t>(unit) != 0) unit /= 2;
  return unit;
}

template <int kBytes>
void select(const IndexSelectArgs& a, std::int64_t row_bytes) {
  using Bits = typename BitsOf<kBytes>::type;
  const std::int64_t units = row_bytes / kBytes, count = a.outer * a.m * units;
  launch_kernel(select_units<Bits>, grid_for(count), Dim3{kBlock}, 0, current_stream(), count, a.n,
                a.m, units, a.index.as<std::int64_t>(), a.x.as<Bits>(), a.y.as<Bits>(),
                index_error());
}

}  // namespace

void index_select(const IndexSelectArgs& a) {
  if (a.outer * a.m * a.inner == 0) return;
  const std::int64_t bytes = a.inner * size_of(a.x.dtype);
  switch (unit_of(bytes, a.x.data, a.y.data)) {
    case 16:
      return select<16>(a, bytes);
    case 8:
      return select<8>(a, bytes);
    case 4:
      return select<4>(a, bytes);
    case 2:
      return select<2>(a, bytes);
    default:
      return select<1>(a, bytes);
  }
}

void gather(const GatherArgs& a) {
  const std::int64_t count = a.outer * a.m * a.inner;
  if (count == 0) return;
  visit_bits(a.x.dtype, [&]<class Bits>(Tag<Bits>) {
    launch_kernel(gather_elements<Bits>, grid_for(count), Dim3{kBlock}, 0, current_stream(), count,
                  a.n, a.m, a.inner, a.index.as<std::int64_t>(), a.x.as<Bits>(), a.y.as<Bits>(),
                  index_error());
  });
}

void index_add(const IndexAddArgs& a) {
  if (a.outer * a.m * a.inner == 0) return;
  const SortMemory memory(a.m, a.outer * a.inner);
  launch_kernel(destination_keys, grid_for(a.m), Dim3{kBlock}, 0, current_stream(), a.m, a.n, a.m,
                std::int64_t{1}, a.index.as<std::int64_t>(), memory.keys(), index_error());
  add_sorted(a.x.dtype, memory.keys(), memory.scratch(), memory.pieces(),
             Runs{{}, a.m, a.n, a.outer, a.inner}, a.x, a.y);
}

void scatter_add(const ScatterAddArgs& a) {
  const std::int64_t count = a.outer * a.m * a.inner;
  if (count == 0) return;
  const SortMemory memory(count, 1);
  launch_kernel(destination_keys, grid_for(count), Dim3{kBlock}, 0, current_stream(), count, a.n,
                a.m, a.inner, a.index.as<std::int64_t>(), memory.keys(), index_error());
  add_sorted(a.x.dtype, memory.keys(), memory.scratch(), memory.pieces(),
             Runs{{}, count, a.outer * a.n * a.inner, 1, 1}, a.x, a.y);
}

}  // namespace athanor::cuda
