// 8 x 8 floats turned in registers. Included after isa_begin.h and row.h.
#pragma once

// 8 rows of 8 floats turned into columns.
typedef float Float8 __attribute__((vector_size(32), aligned(4), may_alias));

template <int kDistance>
inline void exchange(Float8& a, Float8& b) {
  typedef int I8 __attribute__((vector_size(32)));
  constexpr auto low = [](int lane) { return lane & kDistance ? lane - kDistance + 8 : lane; };
  constexpr auto high = [](int lane) { return lane & kDistance ? lane + 8 : lane + kDistance; };
  const Float8 first =
      __builtin_shuffle(a, b, I8{low(0), low(1), low(2), low(3), low(4), low(5), low(6), low(7)});
  b = __builtin_shuffle(a, b,
                        I8{high(0), high(1), high(2), high(3), high(4), high(5), high(6), high(7)});
  a = first;
}

inline void turn(Float8 (&rows)[8]) {
  ATHANOR_UNROLL
  for (int i = 0; i < 4; ++i) exchange<4>(rows[i], rows[i + 4]);
  ATHANOR_UNROLL
  for (int i = 0; i < 4; ++i) exchange<2>(rows[i / 2 * 4 + i % 2], rows[i / 2 * 4 + i % 2 + 2]);
  ATHANOR_UNROLL
  for (int i = 0; i < 4; ++i) exchange<1>(rows[2 * i], rows[2 * i + 1]);
}

// The 8 x 8 floats at `from`, rows `from_row` apart, as columns to `to`, rows `to_row` apart.
inline void turn_block(const float* from, std::int64_t from_row, float* to, std::int64_t to_row) {
  Float8 rows[8];
  ATHANOR_UNROLL
  for (std::int64_t r = 0; r < 8; ++r) {
    rows[r] = *reinterpret_cast<const Float8*>(from + r * from_row);
  }
  turn(rows);
  ATHANOR_UNROLL
  for (std::int64_t r = 0; r < 8; ++r) *reinterpret_cast<Float8*>(to + r * to_row) = rows[r];
}

// Whether the instruction set has vectors of 8 floats to turn.
template <class T>
inline constexpr bool kTurns = sizeof(T) == 4 && kVectorBytes >= 32;
