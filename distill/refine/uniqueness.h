// Feature 6, uniqueness: which records are copies of each other.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace athanor::distill {

struct DuplicateGroups {
  std::vector<std::int64_t>
      group;  // [N] lowest row of the record's group; its own when it is alone
  // [N] of texts: lowest row of those of the group that are linked to this one by the same content
  // or wording (text_units.h); empty where groups are not parted further.
  std::vector<std::int64_t> wording;
  std::vector<char> exact;  // [N] 1: an earlier record has the same bytes
  std::int64_t count = 0;   // groups, those of one record included
};

struct ImageCopyOptions {
  double threshold = 0.008;
  // The distance is between images from which their own means are taken: for pictures that are
  // bright throughout, which are near to each other otherwise.
  bool centred = false;
  // Asked of rows i, j that are near: false = they are no copies all the same. May run in parallel.
  std::function<bool(std::int64_t, std::int64_t)> also = {};
};

// Groups of images that are equal up to a shift by one pixel and slight noise. `images` is u8
// [N, H, W]. Records i and j are linked when
//   min over the 9 shifts s of |c_i - w_js|^2 / max(|c_i|^2, |w_js|^2) < threshold,
// c the image without its outermost pixels, w_s the window of that size at shift s; groups are the
// connected components. The comparison is exhaustive; a bound from block sums (which cannot exceed
// the distance) spares most of the work.
DuplicateGroups find_image_duplicates(const Tensor& images, const ImageCopyOptions& options = {});

// One row of each group: the one with the highest score, the lowest row among equals. Ascending.
std::vector<std::int64_t> best_of_groups(std::span<const std::int64_t> group,
                                         std::span<const double> score);

// For each record of a group of copies: 1 when its label is the group's most frequent one (every
// one of the most frequent), else 0.
std::vector<char> agrees_with_group(std::span<const std::int64_t> group,
                                    std::span<const std::int64_t> labels);

}  // namespace athanor::distill
