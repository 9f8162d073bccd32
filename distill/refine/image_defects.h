// What a defect does to the pixels of one image: u8 [H, W], row-major, changed in place.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/random.h"

namespace athanor::distill {

struct ImageView {
  std::uint8_t* pixels;  // [height * width]
  std::int64_t height, width;

  std::int64_t size() const { return height * width; }
  std::uint8_t& at(std::int64_t y, std::int64_t x) const { return pixels[y * width + x]; }
};

inline constexpr double kNoiseLevel = .5 * 255;  // of the defect, grey levels

// A square of 14/28 to 18/28 of the smaller side, set to zero, 5/28 of it away from the borders.
void blank_block(ImageView image, Generator& random);
// Normal noise of `stddev` grey levels, rounded down (`round` = false) or to nearest, clipped.
void add_noise(ImageView image, double stddev, bool round, Generator& random);
// The picture cut into 4 x 4 patches that change places; what 4 does not divide stays.
void shuffle_patches(ImageView image, Generator& random);
// A smooth random texture over the full range: 7 x 7 normal values, enlarged and blurred.
void draw_texture(ImageView image, Generator& random);
// The negative, upside down.
void invert_upside_down(ImageView image);
// Moves the picture by one pixel in one of four directions; what enters is zero.
void shift_one_pixel(ImageView image, Generator& random);

// The defect out_of_domain: by turns shuffle_patches, draw_texture, invert_upside_down.
void make_foreign(ImageView image, int turn, Generator& random);
// A near copy of itself: moved by one pixel, with noise of 4 grey levels.
void change_slightly(ImageView image, Generator& random);

}  // namespace athanor::distill
