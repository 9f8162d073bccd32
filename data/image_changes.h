// The operations that RandAugment draws from, on one picture. Private to augment.
#pragma once

#include <cstdint>
#include <vector>

namespace athanor::data {

// u8 planes [channels, height, width], changed in place.
struct Picture {
  std::uint8_t* pixels;
  std::int64_t channels, height, width;

  std::uint8_t* row(std::int64_t c, std::int64_t y) const {
    return pixels + (c * height + y) * width;
  }
  std::int64_t area() const { return height * width; }
};

inline constexpr std::int64_t kPictureChanges = 13;

// Operation `which` in [0, kPictureChanges) with strength in [-1, 1]: identity, shear x, shear y,
// translate x, translate y, rotate, brightness, contrast, sharpness, posterise, solarise,
// auto-contrast, equalise. Geometry by the nearest pixel, black where nothing is.
void change_picture(Picture& picture, std::int64_t which, double strength,
                    std::vector<std::uint8_t>& scratch);

// Moves the content down and to the right; black comes in.
void shift_picture(Picture& picture, std::int64_t dy, std::int64_t dx,
                   std::vector<std::uint8_t>& scratch);

}  // namespace athanor::data
