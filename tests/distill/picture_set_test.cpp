// Pictures of a table that are a set of small images of one kind.
#include "distill/refine/picture_set.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <functional>

#include "data/image_file.h"
#include "distill/refine/feature_values.h"
#include "distill/refine/image_defects.h"
#include "distill/refine/surface.h"
#include "distill/refine/uniqueness.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"
#include "tests/data/jpeg_bytes.h"
#include "tests/distill/refined_tables.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

constexpr std::int64_t kSide = 28;

// A striped ellipse of random shape on a ground: u8 [side, side].
Tensor striped(Generator& random, std::int64_t side = kSide, double ground = 0) {
  const double unit = double(side) / 28;
  const double a = 10 + 3 * random.next_uniform(), b = 10 + 3 * random.next_uniform();
  const double wave = .3 + random.next_uniform(), tilt = 2 * random.next_uniform() - 1;
  const double level = 120 + 60 * random.next_uniform();
  Tensor image = empty({side, side}, DType::u8);
  auto* out = image.data<std::uint8_t>();
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) {
      const double v = (double(y) + .5) / unit - 14, u = (double(x) + .5) / unit - 14;
      const bool inside = u * u / a / a + v * v / b / b < 1;
      const double stripe = 60 * std::sin(wave * (u + tilt * v));
      *out++ = static_cast<std::uint8_t>(inside ? level + stripe : ground);
    }
  }
  return image;
}
ImageView view_of(Tensor& image) {
  return {image.data<std::uint8_t>(), image.size(0), image.size(1)};
}
// u8 [H, W] -> [3, H, W], green and blue times `others`.
Tensor in_colour(const Tensor& image, double others = 1) {
  Tensor picture = empty({3, image.size(0), image.size(1)}, DType::u8);
  auto* out = picture.data<std::uint8_t>();
  for (int c = 0; c < 3; ++c) {
    for (const std::uint8_t x : image.to_vector<std::uint8_t>()) {
      *out++ = static_cast<std::uint8_t>(c == 0 ? x : x * others);
    }
  }
  return picture;
}

// The set of `count` pictures that `make` draws.
PictureSet set_of(int count, const std::function<Tensor(int)>& make, std::vector<Look>& looks) {
  looks.clear();
  for (int i = 0; i < count; ++i) looks.push_back(look_at(make(i)));
  return picture_set(looks);
}
bool says(const PictureSet& set, const std::string& part) {
  UNSCOPED_INFO(set.note);
  return set.note.find(part) != set.note.npos;
}

}  // namespace

TEST_CASE("small grey pictures on a dark ground are checked and compared as those of IDX files",
          "[picture_set]") {
  const TemporaryDirectory directory;
  Generator random(11);
  std::vector<Tensor> images;
  for (int i = 0; i < 120; ++i) images.push_back(striped(random));
  for (int i = 0; i < 12; ++i) {
    images.push_back(striped(random));
    blank_block(view_of(images.back()), random);
  }
  for (int i = 0; i < 6; ++i) {
    images.push_back(striped(random));
    invert_upside_down(view_of(images.back()));
  }
  for (int i = 0; i < 10; ++i) {
    images.push_back(from_values(images[i].to_vector<std::uint8_t>(), {kSide, kSide}));
    shift_one_pixel(view_of(images.back()), random);
    add_noise(view_of(images.back()), 2, true, random);
  }
  const std::int64_t n = std::ssize(images);
  std::vector<std::uint8_t> all;
  std::string csv = "photo,label\n";
  const auto add = [&](const Tensor& picture) {
    const std::string name = std::to_string(std::count(csv.begin(), csv.end(), '\n')) + ".png";
    data::save_png(directory.path() / name, picture);
    csv += name + ",x\n";
  };
  for (const Tensor& image : images) {
    const auto pixels = image.to_vector<std::uint8_t>();
    all.insert(all.end(), pixels.begin(), pixels.end());
    add(reshape(image, {1, kSide, kSide}));
  }
  // Two that are no members: a larger copy of the first one, and one on another ground.
  add(data::resize_image(in_colour(images[0]), 57, 57));
  Tensor large = striped(random, 57);
  invert_upside_down(view_of(large));
  add(in_colour(large));
  std::ofstream(directory.path() / "pool.csv") << csv;

  NoProgress quiet;
  const auto options = options_for(directory.path() / "pool.csv", directory.path() / "out");
  const TableRefineResult result = refine_table(options, quiet);
  const Json summary = checked_summary(result);
  CHECK(has_note(summary, "photo: 148 of 150 pictures have 28 x 28 pixels"));
  CHECK(has_note(summary, "checked for blocks over the object"));

  const Tensor stacked = from_values(all, {n, kSide, kSide});
  const SurfaceValidity expected = check_surface(stacked, {.edges = true});
  const DuplicateGroups copies = find_image_duplicates(stacked);
  int blocks = 0, grounds = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    CAPTURE(i);
    const SurfaceFault fault = expected.fault[i];
    const char* why = fault == SurfaceFault::missing         ? "surface:missing_block"
                      : fault == SurfaceFault::out_of_domain ? "surface:foreign_ground"
                                                             : nullptr;
    if (why != nullptr) CHECK(reason(result, i) == why);
    if (why == nullptr) CHECK(reason(result, i).substr(0, 8) != "surface:");
    if (i < 120) CHECK(why == nullptr);
    blocks += i >= 120 && i < 132 && fault == SurfaceFault::missing;
    grounds += i >= 132 && i < 138 && fault == SurfaceFault::out_of_domain;
    CHECK(result.features.groups.group[i] == copies.group[i]);
    if (i >= 138) CHECK(copies.group[i] == i - 138);
  }
  CHECK(blocks >= 10);
  CHECK(grounds == 6);
  CHECK(result.features.groups.group[n] == 0);
  CHECK(result.records.media.look_fault(n + 1) == LookFault::none);
  CHECK(result.records.media.surface_share(n + 1, kNotApplicable, 0) == 1);
  CHECK(result.records.media.surface_share(0, kNotApplicable, 0) == 1);
  CHECK(result.records.media.surface_share(132, kNotApplicable, 0) == Approx(4. / 6));
}

TEST_CASE("which pictures are no set of one kind, and what is said of them", "[picture_set]") {
  Generator random(12);
  std::vector<Look> looks;
  const auto blanked = [&](int i, double ground = 0) {
    Tensor image = striped(random, kSide, ground);
    if (i % 10 == 0) blank_block(view_of(image), random);
    return image;
  };
  const auto faults = [&] {
    return std::count_if(looks.begin(), looks.end(),
                         [](const Look& look) { return look.fault != LookFault::none; });
  };
  PictureSet set = set_of(
      60, [&](int i) { return in_colour(blanked(i)); }, looks);
  CHECK(set.dark_ground);
  CHECK(faults() >= 5);
  CHECK(faults() <= 6);
  CHECK(says(set, "all 60 pictures have 28 x 28 pixels"));
  CHECK(looks[0].pixels.empty());

  set = set_of(
      60, [&](int i) { return in_colour(blanked(i), i % 10 == 0 ? .5 : 1); }, looks);
  CHECK(set.images.shape() == Shape{60, kSide, kSide});
  CHECK_FALSE(set.dark_ground);
  CHECK(says(set, "the ground is not checked: expected 95% of them grey, found 90%"));
  CHECK(faults() == 0);

  set = set_of(
      60, [&](int i) { return in_colour(blanked(i, i % 3 == 0 ? 90 : 0)); }, looks);
  CHECK_FALSE(set.dark_ground);
  CHECK(says(set, "expected 80% of them dark at border and corners, found 66%"));
  CHECK(faults() == 0);

  // Objects at the top: a dark square below them is how the set is.
  const auto bar = [](int i) {
    std::vector<std::uint8_t> pixels(kSide * kSide, i == 7 ? 80 : 0);
    std::fill_n(pixels.begin() + (2 + i % 3) * kSide + 4, 20, 200);
    return in_colour(from_values(pixels, {kSide, kSide}));
  };
  set = set_of(60, bar, looks);
  CHECK(set.dark_ground);
  CHECK(says(set, "not checked for blocks over the object: expected 80% to have none"));
  CHECK(faults() == 1);
  CHECK(looks[7].fault == LookFault::foreign_ground);

  const auto sized = [&](int i) { return in_colour(striped(random, i % 10 == 0 ? 30 : kSide)); };
  set = set_of(60, sized, looks);
  CHECK(set.place.empty());
  CHECK(says(set, "expected 95% of one size of 8 to 64 pixels a side, found 90%"));
  CHECK(looks[0].pixels.empty());
  set = set_of(
      60, [&](int) { return in_colour(striped(random, 65)); }, looks);
  CHECK(says(set, "found 0%"));
  set = set_of(
      49, [&](int i) { return in_colour(blanked(i)); }, looks);
  CHECK(says(set, "expected at least 50 of them, found 49"));
  CHECK(faults() == 0);
}

TEST_CASE("a JPEG in a table is read, a copy of the PNG that it was made from", "[picture_set]") {
  const TemporaryDirectory directory;
  Generator random(13);
  std::string csv = "photo,label\n";
  const auto add = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(directory.path() / name, std::ios::binary) << bytes;
    csv += name + ",x\n";
  };
  // The object is red, the ground below it green.
  const auto photo = [&](int i) {
    Tensor picture = in_colour(striped(random, 90 + i, 60), .4);
    auto* green = picture.data<std::uint8_t>() + picture.numel() / 3;
    for (std::int64_t k = picture.numel() / 6; k < picture.numel() / 3; ++k) green[k] = 120;
    return picture;
  };
  std::vector<Tensor> pictures;
  for (int i = 0; i < 8; ++i) {
    pictures.push_back(photo(i));
    const std::string name = "p" + std::to_string(i) + (i % 2 == 0 ? ".png" : ".jpg");
    add(name, i % 2 == 0 ? data::to_png(pictures[i]) : test::jpeg_of(pictures[i]));
  }
  const std::string jpeg = test::jpeg_of(pictures[2]);
  add("again.jpg", jpeg);
  add("smaller.JPEG", test::jpeg_of(data::resize_image(pictures[3], 70, 70)));
  add("cut.jpg", jpeg.substr(0, jpeg.size() / 2));
  add("named.png", jpeg);  // the bytes say what it is
  std::ofstream(directory.path() / "pool.csv") << csv;
  NoProgress quiet;
  const auto options = options_for(directory.path() / "pool.csv", directory.path() / "out");
  REQUIRE(options.input.schema.column("photo").type == data::ColumnType::image);
  const TableRefineResult result = refine_table(options, quiet);
  const Json summary = checked_summary(result);
  const auto& groups = result.features.groups;
  for (std::int64_t i = 0; i < 8; ++i) CHECK(groups.group[i] == i);
  CHECK(groups.group[8] == 2);
  CHECK(groups.group[9] == 3);
  CHECK(reason(result, 10) == "undecodable:photo");
  CHECK(groups.group[11] == 2);
  CHECK(result.records.content[11] == result.records.content[8]);
  // Red of the object, green below: JPEG's own differences, top left and bottom left.
  const Look& png = result.records.media.images[2];
  const Look& read = result.records.media.images[8];
  for (std::size_t k = 0; k < png.colour.size(); ++k) {
    CHECK(std::abs(int(png.colour[k]) - int(read.colour[k])) <= 2);
  }
  CHECK(*std::max_element(read.colour.begin() + 16, read.colour.end()) > 150);
  CHECK_FALSE(read.colourless);
  CHECK(has_note(summary, "photo: the pictures are no set of one kind"));
}
