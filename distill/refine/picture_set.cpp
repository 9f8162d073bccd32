#include "distill/refine/picture_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "data/batches.h"
#include "distill/refine/surface.h"
#include "distill/refine/usual_share.h"

namespace athanor::distill {
namespace {

constexpr double kOfOneKind = .95;
// Of the checks of IDX files those that look_at() has not made: no limit on noise and contrast.
constexpr SurfaceLimits kGround = {.noise = 4, .contrast = 0, .edges = true};

using Size = std::pair<std::int64_t, std::int64_t>;  // height, width

// The most frequent size of pictures that have pixels, and how many have it.
std::pair<Size, std::int64_t> usual_size(const std::vector<Look>& looks) {
  std::map<Size, std::int64_t> count;
  for (const Look& look : looks) {
    if (!look.pixels.empty()) ++count[{look.height, look.width}];
  }
  std::pair<Size, std::int64_t> usual;
  for (const auto& [size, pictures] : count) {
    if (pictures > usual.second) usual = {size, pictures};
  }
  return usual;
}

// Frees the pixels of each picture as they are copied, so that there is one copy of them.
void take_members(std::vector<Look>& looks, const std::pair<Size, std::int64_t>& usual,
                  PictureSet& set) {
  const auto& [size, members] = usual;
  set.images = empty({members, size.first, size.second}, DType::u8);
  set.place.assign(looks.size(), -1);
  auto* out = set.images.data<std::uint8_t>();
  std::int64_t place = 0;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    if (!looks[i].pixels.empty() && Size(looks[i].height, looks[i].width) == size) {
      out = std::copy(looks[i].pixels.begin(), looks[i].pixels.end(), out);
      set.place[i] = place++;
    }
    std::vector<std::uint8_t>().swap(looks[i].pixels);
  }
}

bool is_dark(const SurfaceStatistics& s) {
  return s.border <= kGround.border && s.corner <= kGround.corner;
}

// Checks the ground of the members, where it is a dark one. Returns what there is to say.
std::string check_ground(std::vector<Look>& looks, PictureSet& set) {
  std::vector<std::int64_t> row, place;  // of members without colour
  for (std::size_t i = 0; i < looks.size(); ++i) {
    if (!set.has(static_cast<std::int64_t>(i)) || !looks[i].colourless) continue;
    row.push_back(static_cast<std::int64_t>(i));
    place.push_back(set.place[i]);
  }
  const std::int64_t members = set.images.size(0), grey = std::ssize(row);
  if (!are_share(grey, members, kOfOneKind)) {
    return fmt::format("the ground is not checked: expected 95% of them grey, found {}",
                       percent(grey, members));
  }
  const SurfaceValidity surface = check_surface(data::gather_rows(set.images, place), kGround);
  std::int64_t dark = 0, whole = 0;
  for (std::int64_t k = 0; k < grey; ++k) {
    dark += is_dark(surface.statistics[k]);
    whole += surface.fault[k] != SurfaceFault::missing;
  }
  if (!are_share(dark, grey, kUsualShare)) {
    return fmt::format(
        "the ground is not checked: expected 80% of them dark at border and "
        "corners, found {}",
        percent(dark, grey));
  }
  set.dark_ground = true;
  const bool blocks = are_share(whole, grey, kUsualShare);
  for (std::int64_t k = 0; k < grey; ++k) {
    Look& look = looks[row[k]];
    const SurfaceStatistics& s = surface.statistics[k];
    const bool block = blocks && surface.fault[k] == SurfaceFault::missing;
    look.applied += blocks ? 3 : 2;
    look.failed += (s.border > kGround.border) + (s.corner > kGround.corner) + block;
    if (look.fault != LookFault::none) continue;
    if (block) {
      look.fault = LookFault::missing_block;
    } else if (!is_dark(s)) {
      look.fault = LookFault::foreign_ground;
    }
  }
  std::string said = fmt::format(
      "{} of them are dark at border and corners, the others have a "
      "foreign ground; ",
      percent(dark, grey));
  said += blocks ? "checked for blocks over the object"
                 : fmt::format(
                       "not checked for blocks over the object: expected 80% to have none, "
                       "found {}",
                       percent(whole, grey));
  return said;
}

}  // namespace

PictureSet picture_set(std::vector<Look>& looks) {
  PictureSet set;
  const auto pictures =
      std::count_if(looks.begin(), looks.end(), [](const Look& l) { return l.there; });
  const auto usual = usual_size(looks);
  if (pictures < kLeastOfKind || !are_share(usual.second, pictures, kOfOneKind)) {
    for (Look& look : looks) std::vector<std::uint8_t>().swap(look.pixels);
    set.note = "the pictures are no set of one kind, whose ground could be checked: expected ";
    if (pictures < kLeastOfKind) {
      set.note += fmt::format("at least {} of them, found {}", kLeastOfKind, pictures);
    } else {
      set.note += fmt::format("95% of one size of {} to {} pixels a side, found {}",
                              kLeastSmallSide, kSmallSide, percent(usual.second, pictures));
    }
    return set;
  }
  take_members(looks, usual, set);
  set.note = fmt::format("{} pictures have {} x {} pixels and are compared at that size; ",
                         usual.second == pictures ? fmt::format("all {}", pictures)
                                                  : fmt::format("{} of {}", usual.second, pictures),
                         usual.first.second, usual.first.first);
  set.note += check_ground(looks, set);
  return set;
}

}  // namespace athanor::distill
