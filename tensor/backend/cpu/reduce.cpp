#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/elementwise.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/row.h"

namespace {

// Elements of x that one task reduces, whatever the number of threads.
constexpr std::int64_t kPiece = 16384;
constexpr std::int64_t kColumns = 512;

// Some of x's axes, slowest first, with the strides of x and y.
struct AxisList {
  int rank = 0;
  std::int64_t count = 1;
  std::int64_t sizes[kMaxRank], x_strides[kMaxRank], y_strides[kMaxRank];

  void add(std::int64_t size, std::int64_t x_stride, std::int64_t y_stride) {
    sizes[rank] = size;
    x_strides[rank] = x_stride;
    y_strides[rank++] = y_stride;
    count *= size;
  }
  static std::int64_t offset(const AxisList& axes, const std::int64_t* strides,
                             std::int64_t index) {
    std::int64_t at = 0;
    for (int i = axes.rank - 1; i >= 0; --i) {
      at += index % axes.sizes[i] * strides[i];
      index /= axes.sizes[i];
    }
    return at;
  }
  std::int64_t in_x(std::int64_t index) const { return offset(*this, x_strides, index); }
  std::int64_t in_y(std::int64_t index) const { return offset(*this, y_strides, index); }
};

// The reduction in x's memory order: one inner axis, reduced or kept, and the others.
struct ReducePlan {
  AxisList kept, reduced;  // without the inner axis
  std::int64_t n = 1, x_stride = 1, y_stride = 0;
  bool inner_reduced = true;
};

ReducePlan plan_reduce(const ReduceArgs& args) {
  const LoopPlan<2> loop = plan_loop<2>({&args.x, &args.y});
  ReducePlan plan;
  for (int i = 0; i < loop.rank; ++i) {
    const std::int64_t xs = loop.strides[i][0], ys = loop.strides[i][1];
    if (i + 1 == loop.rank) {
      plan.n = loop.sizes[i];
      plan.x_stride = xs;
      plan.y_stride = ys;
      plan.inner_reduced = ys == 0;
    } else {
      (ys == 0 ? plan.reduced : plan.kept).add(loop.sizes[i], xs, ys);
    }
  }
  return plan;
}

// any counts true as 1 and takes the largest; all takes the smallest.
template <class Join, class X, class A>
A reduce_inner(const X* x, std::int64_t n, std::int64_t stride) {
  if constexpr (std::is_same_v<X, A>) {
    return reduce_strided<Join>(x, n, stride);
  } else {
    unsigned char total = x[0] != X(0);
    for (std::int64_t i = 1; i < n; ++i) {
      total = Join::join(total, static_cast<unsigned char>(x[i * stride] != X(0)));
    }
    return total;
  }
}

// The inner axis is reduced: each output joins whole rows, or pieces of one long row.
template <class Join, class X, class A, class Y>
void reduce_rows(const ReducePlan& p, const X* x, Y* y) {
  const std::int64_t piece = p.n < kPiece ? p.n : kPiece;
  const std::int64_t per_row = (p.n + piece - 1) / piece;
  const std::int64_t pieces = per_row * p.reduced.count;
  const std::int64_t group = kPiece / piece;  // pieces a task joins
  const std::int64_t tasks = (pieces + group - 1) / group;
  const auto join_group = [&](const X* from, std::int64_t task) {
    const std::int64_t first = task * group;
    const std::int64_t last = first + group < pieces ? first + group : pieces;
    A total{};
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t at = i % per_row * piece;
      const std::int64_t count = p.n - at < piece ? p.n - at : piece;
      const X* row = from + p.reduced.in_x(i / per_row) + at * p.x_stride;
      const A value = reduce_inner<Join, X, A>(row, count, p.x_stride);
      total = i == first ? value : Join::join(total, value);
    }
    return total;
  };
  if (tasks == 1) {
    parallel_for(p.kept.count, kPiece / (pieces * piece) + 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t k = begin; k < end; ++k) {
                     y[p.kept.in_y(k)] = static_cast<Y>(join_group(x + p.kept.in_x(k), 0));
                   }
                 });
    return;
  }
  std::vector<A> partial(static_cast<std::size_t>(p.kept.count * tasks));
  parallel_chunks(p.kept.count * tasks, [&](std::int64_t i) {
    partial[static_cast<std::size_t>(i)] = join_group(x + p.kept.in_x(i / tasks), i % tasks);
  });
  for (std::int64_t k = 0; k < p.kept.count; ++k) {
    const A* of = partial.data() + k * tasks;
    y[p.kept.in_y(k)] = static_cast<Y>(reduce_row<Join>(of, tasks));
  }
}

constexpr std::int64_t kRowsAhead = 4;

// acc[0 .. n) = the join of x[0 .. n) over rows first .. last - 1.
template <class Join, class X, class A>
void join_columns(const ReducePlan& p, const X* x, std::int64_t first, std::int64_t last,
                  std::int64_t n, A* acc) {
  const auto value = [&](const X* row, std::int64_t j) {
    if constexpr (std::is_same_v<X, A>) {
      return row[j * p.x_stride];
    } else {
      return static_cast<A>(row[j * p.x_stride] != X(0));
    }
  };
  // What no second-level cache holds, in rows that lie apart: reading ahead stops at each.
  const bool far =
      p.x_stride == 1 && p.reduced.count * p.n * static_cast<std::int64_t>(sizeof(X)) > 1 << 20;
  for (std::int64_t r = first; r < last; ++r) {
    const X* row = x + p.reduced.in_x(r);
    if (far) {
      const X* next = x + p.reduced.in_x(r + kRowsAhead < p.reduced.count ? r + kRowsAhead : r);
      for (std::int64_t j = 0; j < n; j += 64 / sizeof(X)) __builtin_prefetch(next + j);
    }
    if (r == first) {
      for (std::int64_t j = 0; j < n; ++j) acc[j] = value(row, j);
    } else if (p.x_stride == 1 && std::is_same_v<X, A>) {
      for (std::int64_t j = 0; j < n; ++j) acc[j] = Join::join(acc[j], A(row[j]));
    } else {
      for (std::int64_t j = 0; j < n; ++j) acc[j] = Join::join(acc[j], value(row, j));
    }
  }
}

// The inner axis is kept: blocks of columns are joined row by row.
template <class Join, class X, class A, class Y>
void reduce_columns(const ReducePlan& p, const X* x, Y* y) {
  const std::int64_t width = p.n < kColumns ? p.n : kColumns;
  const std::int64_t blocks = (p.n + width - 1) / width;
  const std::int64_t rows = kPiece / width;  // that a task joins
  const std::int64_t tasks = (p.reduced.count + rows - 1) / rows;
  const std::int64_t outputs = p.kept.count * blocks;
  const auto begin_of = [&](std::int64_t block) { return block * width; };
  const auto width_of = [&](std::int64_t block) {
    return p.n - begin_of(block) < width ? p.n - begin_of(block) : width;
  };
  std::vector<A> partial(static_cast<std::size_t>(tasks > 1 ? outputs * tasks * width : 0));
  const auto write = [&](std::int64_t output, const A* acc) {
    const std::int64_t block = output % blocks;
    Y* to = y + p.kept.in_y(output / blocks) + begin_of(block) * p.y_stride;
    for (std::int64_t j = 0; j < width_of(block); ++j) to[j * p.y_stride] = static_cast<Y>(acc[j]);
  };
  const std::int64_t work = (p.reduced.count < rows ? p.reduced.count : rows) * width;
  parallel_for(outputs * tasks, kPiece / work + 1, [&](std::int64_t begin, std::int64_t end) {
    A local[kColumns];
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t output = i / tasks, task = i % tasks, block = output % blocks;
      const std::int64_t first = task * rows;
      const std::int64_t last = first + rows < p.reduced.count ? first + rows : p.reduced.count;
      A* acc = tasks > 1 ? partial.data() + i * width : local;
      join_columns<Join>(p, x + p.kept.in_x(output / blocks) + begin_of(block) * p.x_stride, first,
                         last, width_of(block), acc);
      if (tasks == 1) write(output, acc);
    }
  });
  if (tasks == 1) return;
  for (std::int64_t output = 0; output < outputs; ++output) {
    A* acc = partial.data() + output * tasks * width;
    for (std::int64_t task = 1; task < tasks; ++task) {
      for (std::int64_t j = 0; j < width; ++j) acc[j] = Join::join(acc[j], acc[task * width + j]);
    }
    write(output, acc);
  }
}

template <class Join, class X, class A, class Y>
void reduce_typed(const ReduceArgs& args) {
  const ReducePlan plan = plan_reduce(args);
  if (plan.inner_reduced) {
    reduce_rows<Join, X, A>(plan, args.x.as<X>(), args.y.as<Y>());
  } else {
    reduce_columns<Join, X, A>(plan, args.x.as<X>(), args.y.as<Y>());
  }
}

template <class T>
void reduce_numbers(const ReduceArgs& args) {
  switch (args.op) {
    case ReduceOp::sum:
      return reduce_typed<SumOf, T, T, T>(args);
    case ReduceOp::max:
      return reduce_typed<MaxOf, T, T, T>(args);
    case ReduceOp::min:
      return reduce_typed<MinOf, T, T, T>(args);
    case ReduceOp::any:
      return reduce_typed<MaxOf, T, unsigned char, bool>(args);
    case ReduceOp::all:
      return reduce_typed<MinOf, T, unsigned char, bool>(args);
  }
}

}  // namespace

void reduce(const ReduceArgs& args) {
  if (args.x.dtype == DType::boolean) {
    const bool any = args.op == ReduceOp::any;
    return any ? reduce_typed<MaxOf, bool, unsigned char, bool>(args)
               : reduce_typed<MinOf, bool, unsigned char, bool>(args);
  }
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) { reduce_numbers<T>(args); });
}

#include "tensor/backend/cpu/isa_end.h"
