#include "data/image_changes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

namespace athanor::data {
namespace {

void save(const Picture& p, std::vector<std::uint8_t>& scratch) {
  scratch.assign(p.pixels, p.pixels + p.channels * p.area());
}

// Each pixel (x, y) takes the one at (a x' + b y' + tx, c x' + d y' + ty), x' and y' from the
// centre.
struct Affine {
  double a = 1, b = 0, c = 0, d = 1, tx = 0, ty = 0;
};

void transform(Picture& p, const Affine& m, std::vector<std::uint8_t>& scratch) {
  save(p, scratch);
  const double cx = static_cast<double>(p.width - 1) / 2,
               cy = static_cast<double>(p.height - 1) / 2;
  for (std::int64_t y = 0; y < p.height; ++y) {
    for (std::int64_t x = 0; x < p.width; ++x) {
      const double u = static_cast<double>(x) - cx, v = static_cast<double>(y) - cy;
      const auto sx = static_cast<std::int64_t>(std::floor(m.a * u + m.b * v + m.tx + cx + 0.5));
      const auto sy = static_cast<std::int64_t>(std::floor(m.c * u + m.d * v + m.ty + cy + 0.5));
      const bool inside = sx >= 0 && sx < p.width && sy >= 0 && sy < p.height;
      for (std::int64_t c = 0; c < p.channels; ++c) {
        p.row(c, y)[x] =
            inside ? scratch[static_cast<std::size_t>((c * p.height + sy) * p.width + sx)] : 0;
      }
    }
  }
}

std::uint8_t clamped(double value) {
  return static_cast<std::uint8_t>(std::clamp(std::lround(value), 0l, 255l));
}

template <class F>
void map(Picture& p, F&& f) {
  std::array<std::uint8_t, 256> table;
  for (int i = 0; i < 256; ++i) table[static_cast<std::size_t>(i)] = f(i);
  for (std::int64_t i = 0; i < p.channels * p.area(); ++i) p.pixels[i] = table[p.pixels[i]];
}

void contrast(Picture& p, double factor) {
  double sum = 0;
  const std::int64_t count = p.channels * p.area();
  for (std::int64_t i = 0; i < count; ++i) sum += p.pixels[i];
  const double mean = count > 0 ? sum / static_cast<double>(count) : 0;
  map(p, [&](int v) { return clamped(mean + factor * (v - mean)); });
}

// Blends with a 3 x 3 mean whose centre counts 5 of 13, the border left as it is.
void sharpness(Picture& p, double factor, std::vector<std::uint8_t>& scratch) {
  save(p, scratch);
  for (std::int64_t c = 0; c < p.channels; ++c) {
    const std::uint8_t* in = scratch.data() + c * p.area();
    for (std::int64_t y = 1; y + 1 < p.height; ++y) {
      for (std::int64_t x = 1; x + 1 < p.width; ++x) {
        const std::uint8_t* at = in + y * p.width + x;
        int sum = 4 * *at;
        for (std::int64_t dy = -1; dy <= 1; ++dy) {
          for (std::int64_t dx = -1; dx <= 1; ++dx) sum += at[dy * p.width + dx];
        }
        const double smooth = sum / 13.0;
        p.row(c, y)[x] = clamped(smooth + factor * (*at - smooth));
      }
    }
  }
}

void auto_contrast(Picture& p) {
  for (std::int64_t c = 0; c < p.channels; ++c) {
    Picture plane{p.row(c, 0), 1, p.height, p.width};
    if (plane.area() == 0) return;
    const auto [low, high] = std::minmax_element(plane.pixels, plane.pixels + plane.area());
    const int from = *low, range = *high - *low;
    if (range > 0) map(plane, [&](int v) { return clamped((v - from) * 255.0 / range); });
  }
}

void equalize(Picture& p) {
  for (std::int64_t c = 0; c < p.channels; ++c) {
    Picture plane{p.row(c, 0), 1, p.height, p.width};
    std::array<std::int64_t, 256> below = {};
    for (std::int64_t i = 0; i < plane.area(); ++i) ++below[plane.pixels[i]];
    std::int64_t sum = 0, first = 0;
    for (std::int64_t& count : below) {
      if (first == 0) first = count;
      sum += count;
      count = sum;
    }
    if (sum == first) continue;  // one shade
    map(plane, [&](int v) {
      return clamped(static_cast<double>(below[static_cast<std::size_t>(v)] - first) * 255 /
                     static_cast<double>(sum - first));
    });
  }
}

}  // namespace

void shift_picture(Picture& p, std::int64_t dy, std::int64_t dx,
                   std::vector<std::uint8_t>& scratch) {
  if (dy == 0 && dx == 0) return;
  save(p, scratch);
  std::memset(p.pixels, 0, static_cast<std::size_t>(p.channels * p.area()));
  const std::int64_t width = p.width - std::abs(dx);
  if (width <= 0) return;
  for (std::int64_t c = 0; c < p.channels; ++c) {
    for (std::int64_t y = std::max<std::int64_t>(dy, 0); y < std::min(p.height, p.height + dy);
         ++y) {
      const std::uint8_t* from = scratch.data() + (c * p.height + y - dy) * p.width;
      std::memcpy(p.row(c, y) + std::max<std::int64_t>(dx, 0),
                  from + std::max<std::int64_t>(-dx, 0), static_cast<std::size_t>(width));
    }
  }
}

void change_picture(Picture& p, std::int64_t which, double strength,
                    std::vector<std::uint8_t>& scratch) {
  const double factor = 1 + 0.9 * strength;
  Affine m;
  switch (which) {
    case 1:
      m.b = 0.3 * strength;
      return transform(p, m, scratch);
    case 2:
      m.c = 0.3 * strength;
      return transform(p, m, scratch);
    case 3:
      m.tx = 0.3 * strength * static_cast<double>(p.width);
      return transform(p, m, scratch);
    case 4:
      m.ty = 0.3 * strength * static_cast<double>(p.height);
      return transform(p, m, scratch);
    case 5: {
      const double angle = strength * std::numbers::pi / 6;
      m.a = m.d = std::cos(angle);
      m.b = std::sin(angle);
      m.c = -m.b;
      return transform(p, m, scratch);
    }
    case 6:
      return map(p, [&](int v) { return clamped(v * factor); });
    case 7:
      return contrast(p, factor);
    case 8:
      return sharpness(p, factor, scratch);
    case 9: {
      const int bits = 8 - static_cast<int>(std::lround(4 * std::abs(strength)));
      const int mask = 0xff << (8 - bits) & 0xff;
      return map(p, [&](int v) { return static_cast<std::uint8_t>(v & mask); });
    }
    case 10: {
      const double threshold = 255 * (1 - std::abs(strength));
      return map(p, [&](int v) { return static_cast<std::uint8_t>(v < threshold ? v : 255 - v); });
    }
    case 11:
      return auto_contrast(p);
    case 12:
      return equalize(p);
    default:
      return;  // identity
  }
}

}  // namespace athanor::data
