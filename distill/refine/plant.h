// Planting known defects in clean labelled images, so that a refinement can be measured honestly:
// the pool holds exactly the requested share of effective records, and only the evaluator sees the
// manifest.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "distill/refine/manifest.h"
#include "tensor/tensor.h"

namespace athanor::distill {

// How the defective part of a pool divides among families of kinds. Shares of the whole pool at an
// effective share of 0.38; they are scaled in proportion for any other.
struct Mixture {
  double labels;      // flip and confuse, half each
  double duplicates;  // duplicate and near_duplicate, half each
  double rest;        // stale 1/4; the others share what remains alike
};

// "easy" .15/.25/.22, "standard" .25/.22/.15, "hard" .36/.14/.12. Throws usage for another name.
Mixture mixture_from_name(std::string_view name);

// The classes of Fashion-MNIST that people and models take for each other: T-shirt -> shirt,
// trousers -> dress, pullover -> coat, ..., ankle boot -> sneaker.
std::vector<std::int64_t> fashion_mnist_confusable();

struct PlantOptions {
  std::int64_t size = 6000;  // records in the pool
  double effective = 0.38;   // round(effective * size) records stay effective
  Mixture mixture{.36, .14, .12};
  // Kinds to plant; a family without kinds leaves its share to the other families.
  std::vector<Defect> defects = image_defects();
  std::int64_t classes = 10;
  // confusable[c]: the class that c is taken for. Empty: the class with the nearest mean image.
  std::vector<std::int64_t> confusable;
  std::int64_t trusted = 200;  // clean records handed out beside the pool, where there are so many
  std::uint64_t seed = 0;
};

// Planted times lie before this moment (seconds since 1970; 2024-01-01 00:00 UTC), the data set's
// fixed reference time.
inline constexpr double kPlantReferenceTime = 1704067200;

struct PlantedPool {
  Tensor images;              // u8 [size, H, W]
  Tensor labels;              // i64 [size], as given, right or wrong
  std::vector<double> times;  // seconds since 1970
  double reference_time = kPlantReferenceTime;
  Manifest manifest;               // one row a record
  std::vector<std::int64_t> base;  // rows of the clean data that the pool was made from
  // Rows of the clean data that are no part of the pool: a verified, disjoint set (at most
  // options.trusted of those left over because copies fill part of the pool).
  std::vector<std::int64_t> trusted;
};

// Plants defects in clean `images` u8 [M, H, W] with right `labels` i64 [M], each in [0, classes).
//
// Of the pool's records, copies take the place of as many clean ones, so M >= size is always
// enough and M - (size - copies) clean records are left over. Kinds:
//   stale        two classes a, b; a record of a is labelled b and the reverse. Two thirds of them
//                are old (90 to 365 days), a third is fresh (0 to 60 days) as everything else is;
//                half as many effective records are old, too, so that the stamp is no oracle.
//   missing      a blank square of 14/28 to 18/28 of the side in the middle of the image
//   noise        normal noise of half the range, clipped
//   out_of_domain  by turns shuffled patches, a smooth texture, the inverted image upside down
//   duplicate    copies: 85% of effective records, 15% of label-flipped ones
//   near_duplicate  the same, shifted by one pixel, with normal noise of 4/255
// A tenth of the broken images and of the copies carry a wrong label besides. The order of the pool
// is random. The same options and data give the same bits everywhere.
//
// Errors are usage: effective outside (0, 1), no kind to plant, too few clean records, images
// smaller than 8 x 8.
PlantedPool plant_defects(const Tensor& images, const Tensor& labels, const PlantOptions& options);

}  // namespace athanor::distill
