#include "distill/refine/image_defects.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

namespace athanor::distill {
namespace {

std::uint8_t to_pixel(double value, bool round) {
  return static_cast<std::uint8_t>(std::clamp(round ? std::nearbyint(value) : value, 0.0, 255.0));
}

}  // namespace

void blank_block(ImageView image, Generator& random) {
  const std::int64_t unit = std::min(image.height, image.width);
  const std::int64_t low = unit * 14 / 28, high = unit * 18 / 28, margin = unit * 5 / 28;
  const std::int64_t side = low + random.next_below(high - low + 1);
  auto place = [&](std::int64_t length) {
    return margin + random.next_below(std::max<std::int64_t>(1, length - 2 * margin - side + 1));
  };
  const std::int64_t top = place(image.height), left = place(image.width);
  for (std::int64_t y = top; y < std::min(top + side, image.height); ++y) {
    for (std::int64_t x = left; x < std::min(left + side, image.width); ++x) image.at(y, x) = 0;
  }
}

void add_noise(ImageView image, double stddev, bool round, Generator& random) {
  for (std::int64_t i = 0; i < image.size(); ++i) {
    image.pixels[i] = to_pixel(image.pixels[i] + stddev * random.next_normal(), round);
  }
}

void shuffle_patches(ImageView image, Generator& random) {
  constexpr std::int64_t kGrid = 4;
  const std::int64_t rows = image.height / kGrid, columns = image.width / kGrid;
  std::array<std::int64_t, kGrid * kGrid> from;
  std::iota(from.begin(), from.end(), 0);
  for (std::int64_t i = kGrid * kGrid - 1; i > 0; --i) {
    std::swap(from[i], from[random.next_below(i + 1)]);
  }
  const std::vector<std::uint8_t> old(image.pixels, image.pixels + image.size());
  for (std::int64_t patch = 0; patch < kGrid * kGrid; ++patch) {
    const std::int64_t y0 = patch / kGrid * rows, x0 = patch % kGrid * columns;
    const std::int64_t v0 = from[patch] / kGrid * rows, u0 = from[patch] % kGrid * columns;
    for (std::int64_t y = 0; y < rows; ++y) {
      for (std::int64_t x = 0; x < columns; ++x) {
        image.at(y0 + y, x0 + x) = old[(v0 + y) * image.width + u0 + x];
      }
    }
  }
}

void draw_texture(ImageView image, Generator& random) {
  constexpr std::int64_t kCells = 7, kReach = 2;
  std::array<double, kCells * kCells> cells;
  for (double& cell : cells) cell = random.next_normal();
  auto cell_at = [&](std::int64_t y, std::int64_t x) {
    y = (y + image.height) % image.height;
    x = (x + image.width) % image.width;
    return cells[y * kCells / image.height * kCells + x * kCells / image.width];
  };
  std::vector<double> blurred(image.size());
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      double sum = 0;
      for (std::int64_t v = -kReach; v <= kReach; ++v) {
        for (std::int64_t u = -kReach; u <= kReach; ++u) sum += cell_at(y + v, x + u);
      }
      blurred[y * image.width + x] = sum;
    }
  }
  const auto [low, high] = std::minmax_element(blurred.begin(), blurred.end());
  const double scale = *high > *low ? 255 / (*high - *low) : 0;
  for (std::int64_t i = 0; i < image.size(); ++i) {
    image.pixels[i] = to_pixel((blurred[i] - *low) * scale, false);
  }
}

void invert_upside_down(ImageView image) {
  for (std::int64_t y = 0; y < image.height / 2; ++y) {
    std::swap_ranges(&image.at(y, 0), &image.at(y, 0) + image.width,
                     &image.at(image.height - 1 - y, 0));
  }
  for (std::int64_t i = 0; i < image.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>(255 - image.pixels[i]);
  }
}

void shift_one_pixel(ImageView image, Generator& random) {
  constexpr std::array<std::array<int, 2>, 4> kSteps{{{0, 1}, {0, -1}, {1, 0}, {-1, 0}}};
  const auto [down, right] = kSteps[random.next_below(4)];
  const std::vector<std::uint8_t> old(image.pixels, image.pixels + image.size());
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const std::int64_t v = y - down, u = x - right;
      const bool inside = v >= 0 && v < image.height && u >= 0 && u < image.width;
      image.at(y, x) = inside ? old[v * image.width + u] : std::uint8_t{0};
    }
  }
}

void make_foreign(ImageView image, int turn, Generator& random) {
  if (turn % 3 == 0) return shuffle_patches(image, random);
  if (turn % 3 == 1) return draw_texture(image, random);
  invert_upside_down(image);
}

void change_slightly(ImageView image, Generator& random) {
  constexpr double kNoise = 4;  // grey levels
  shift_one_pixel(image, random);
  add_noise(image, kNoise, true, random);
}

}  // namespace athanor::distill
