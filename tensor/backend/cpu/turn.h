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

// Whether the instruction set has vectors of 8 floats to turn.
template <class T>
inline constexpr bool kTurns = sizeof(T) == 4 && kVectorBytes >= 32;
