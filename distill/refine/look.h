// What stage 1 keeps of a picture or a sound: a small grey picture, and what is wrong with it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "data/audio.h"
#include "tensor/tensor.h"

namespace athanor::distill {

inline constexpr std::int64_t kLookSide = 32;
inline constexpr std::int64_t kColourSide = 4;
// Pictures with sides from and to so many pixels may be a set of one kind (picture_set.h).
inline constexpr std::int64_t kLeastSmallSide = 8, kSmallSide = 64;

// Feature 8 of pictures and sounds.
enum class LookFault : std::uint8_t {
  none,
  tiny_image,   // a side below 8 pixels
  blank_image,  // standard deviation of its grey levels below 2% of their range
  noise_image,  // median |4-neighbour Laplacian| above 60% (surface.h), in its middle
  // Of pictures of one kind on a dark ground alone (picture_set.h):
  missing_block,   // a block over the object
  foreign_ground,  // border or corners are not dark
  short_sound,     // less than a tenth of a second
  silent_sound,    // root mean square below a thousandth of full scale
  clipped_sound,   // more than 1% of the samples at full scale
  // Of sounds of one kind alone (sound_checks.h):
  silent_part,  // digital silence inside
  noise_sound   // a flat spectrum
};
std::string_view name_of(LookFault fault);

struct Look {
  // [32, 32]: means over equal parts of the picture, whatever its shape; of a sound its mel
  // spectrogram, 32 bands by 32 parts of its time, 50 dB below the loudest being 0; its centre of
  // gravity is where two parts meet.
  std::array<std::uint8_t, kLookSide * kLookSide> grey{};
  // Of a picture: blue and red difference (JPEG's Cb, Cr), each [4, 4]; 0 of a sound.
  std::array<std::uint8_t, 2 * kColourSide * kColourSide> colour{};
  // Of a small picture, until picture_set() takes them: its own grey levels, [height, width].
  std::vector<std::uint8_t> pixels;
  std::uint8_t height = 0, width = 0;  // of such a picture
  bool colourless = false;  // no pixel of a picture has channels further apart than 8 of 255
  float seconds = 0;        // of a sound
  // Of a sound: the longest silence inside, as a share of its time; how flat its spectrum is, 1 as
  // that of white noise (sound_checks.h).
  float gap = 0, flatness = 0;
  std::uint8_t applied = 0, failed = 0;
  LookFault fault = LookFault::none;  // the first one
  bool there = false;                 // false: there is no picture or sound, all else is 0
};

// `image` u8 [3, H, W].
Look look_at(const Tensor& image);
Look look_at(const data::Sound& sound);

// Means over 7 x 7 blocks in [0, 1]: u8 [N, H, W] -> f32 [N, 49]. Pictures that look alike are
// near.
Tensor block_means(const Tensor& images);
// Look::grey of each, u8 [N, 32, 32].
Tensor look_pictures(std::span<const Look> looks);
// Vectors by which looks are neighbours: block means without their own mean, and colours. f32
// [N, 81]; 0 where nothing is there.
Tensor look_vectors(std::span<const Look> looks);

}  // namespace athanor::distill
