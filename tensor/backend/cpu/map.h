// Elementwise loops of the CPU kernels: the inner loop runs over contiguous memory where it can, so
// that the compiler turns it into vector code; the outer loop is spread over threads.
//
// Included after isa_begin.h, so that the loops are compiled for the file's instruction set.

// Elements a thread takes at least: below, starting threads costs more than it saves.
inline constexpr std::int64_t kMapGrain = 32768;

// y[i] = f(x[i]) over the planned axes; plan operand 0 is y, 1 is x.
template <class X, class Y, class F>
inline void map_unary(const LoopPlan<2>& plan, const X* x, Y* y, F f) {
  const std::int64_t n = plan.inner_size(), ys = plan.inner_stride(0), xs = plan.inner_stride(1);
  const auto row = [&](const X* from, Y* to, std::int64_t count) {
    if (xs == 1 && ys == 1) {
      for (std::int64_t i = 0; i < count; ++i) to[i] = f(from[i]);
    } else {
      for (std::int64_t i = 0; i < count; ++i) to[i * ys] = f(from[i * xs]);
    }
  };
  const std::int64_t rows = plan.outer_count();
  if (rows == 1) {
    parallel_for(n, kMapGrain, [&](std::int64_t begin, std::int64_t end) {
      row(x + begin * xs, y + begin * ys, end - begin);
    });
    return;
  }
  const std::int64_t grain = kMapGrain / (n > 0 ? n : 1) + 1;
  parallel_for(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const auto at = plan.outer_offsets(r);
      row(x + at[1], y + at[0], n);
    }
  });
}

// z[i] = f(x[i], y[i]) over the planned axes; plan operand 0 is z, 1 is x, 2 is y.
template <class T, class Z, class F>
inline void map_binary(const LoopPlan<3>& plan, const T* x, const T* y, Z* z, F f) {
  const std::int64_t n = plan.inner_size();
  const std::int64_t zs = plan.inner_stride(0), xs = plan.inner_stride(1),
                     ys = plan.inner_stride(2);
  const auto row = [&](const T* a, const T* b, Z* to, std::int64_t count) {
    if (zs == 1 && xs == 1 && ys == 1) {
      for (std::int64_t i = 0; i < count; ++i) to[i] = f(a[i], b[i]);
    } else if (zs == 1 && xs == 1 && ys == 0) {
      const T right = *b;
      for (std::int64_t i = 0; i < count; ++i) to[i] = f(a[i], right);
    } else if (zs == 1 && xs == 0 && ys == 1) {
      const T left = *a;
      for (std::int64_t i = 0; i < count; ++i) to[i] = f(left, b[i]);
    } else {
      for (std::int64_t i = 0; i < count; ++i) to[i * zs] = f(a[i * xs], b[i * ys]);
    }
  };
  const std::int64_t rows = plan.outer_count();
  if (rows == 1) {
    parallel_for(n, kMapGrain, [&](std::int64_t begin, std::int64_t end) {
      row(x + begin * xs, y + begin * ys, z + begin * zs, end - begin);
    });
    return;
  }
  const std::int64_t grain = kMapGrain / (n > 0 ? n : 1) + 1;
  parallel_for(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const auto at = plan.outer_offsets(r);
      row(x + at[1], y + at[2], z + at[0], n);
    }
  });
}
