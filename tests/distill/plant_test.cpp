#include "distill/refine/plant.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/random.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

constexpr std::int64_t kSide = 28;

struct Clean {
  Tensor images;
  Tensor labels;
};

// Random pictures: no two are alike, so that equal bytes in a pool are planted copies.
Clean clean_data(std::int64_t n, std::int64_t classes = 10) {
  Generator random(77);
  Clean data{empty({n, kSide, kSide}, DType::u8), empty({n}, DType::i64)};
  for (std::int64_t i = 0; i < data.images.numel(); ++i) {
    data.images.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(random.next_u32() >> 24);
  }
  for (std::int64_t i = 0; i < n; ++i) data.labels.data<std::int64_t>()[i] = i % classes;
  return data;
}

std::vector<std::int64_t> all_rows(const Manifest& manifest) {
  std::vector<std::int64_t> rows(manifest.size());
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

bool same_image(const Tensor& a, std::int64_t i, const Tensor& b, std::int64_t j) {
  const auto* x = a.data<std::uint8_t>() + i * kSide * kSide;
  return std::equal(x, x + kSide * kSide, b.data<std::uint8_t>() + j * kSide * kSide);
}

}  // namespace

TEST_CASE("the effective share is exact for every size, seed and mixture") {
  for (std::int64_t size : {100, 253, 600}) {
    const Clean data = clean_data(size);
    for (const char* mixture : {"easy", "standard", "hard"}) {
      for (std::uint64_t seed : {0, 1, 2}) {
        PlantOptions options;
        options.size = size;
        options.mixture = mixture_from_name(mixture);
        options.seed = seed;
        const PlantedPool pool = plant_defects(data.images, data.labels, options);
        CAPTURE(size, mixture, seed);
        const auto expected = static_cast<std::int64_t>(std::llround(.38 * double(size)));
        std::int64_t effective = 0;
        for (const ManifestRow& row : pool.manifest) effective += row.effective;
        REQUIRE(effective == expected);
        REQUIRE(std::ssize(pool.manifest) == size);
        // Keeping everything keeps every group and nothing more.
        const SelectionQuality all = evaluate_selection(pool.manifest, all_rows(pool.manifest));
        REQUIRE(all.effective_kept == expected);
        REQUIRE(all.retention == 1);
        REQUIRE(all.effective_share == double(expected) / double(size));
      }
    }
  }
}

TEST_CASE("the hard pool of 6,000 has the planned counts") {
  const Clean data = clean_data(6000);
  PlantOptions options;
  const PlantedPool pool = plant_defects(data.images, data.labels, options);
  std::int64_t copies = 0, stale = 0, blank = 0, noise = 0, foreign = 0;
  for (const ManifestRow& row : pool.manifest) {
    const bool copy = row.kinds.has(Defect::duplicate) || row.kinds.has(Defect::near_duplicate);
    copies += copy;
    stale += row.kinds.has(Defect::stale);
    blank += row.kinds.has(Defect::missing);
    noise += row.kinds.has(Defect::noise);
    foreign += row.kinds.has(Defect::out_of_domain);
  }
  REQUIRE(copies == 840);
  REQUIRE(stale == 180);
  REQUIRE(blank == 180);
  REQUIRE(noise == 180);
  REQUIRE(foreign == 180);
  // 840 clean records are left over; the trusted ones are taken from them.
  REQUIRE(pool.base.size() == 5160);
  REQUIRE(pool.trusted.size() == 200);
  std::set<std::int64_t> base(pool.base.begin(), pool.base.end());
  for (std::int64_t row : pool.trusted) REQUIRE(base.count(row) == 0);
}

TEST_CASE("the manifest says what was done to each record") {
  const Clean data = clean_data(600);
  PlantOptions options;
  options.size = 600;
  options.seed = 5;
  const PlantedPool pool = plant_defects(data.images, data.labels, options);
  const auto* given = pool.labels.data<std::int64_t>();
  for (std::int64_t i = 0; i < 600; ++i) {
    const ManifestRow& row = pool.manifest[i];
    const bool broken = row.kinds.has(Defect::missing) || row.kinds.has(Defect::noise) ||
                        row.kinds.has(Defect::out_of_domain);
    CAPTURE(i, row.kinds.to_string());
    REQUIRE(row.true_label == data.labels.data<std::int64_t>()[row.source]);
    REQUIRE(row.correct == (given[i] == row.true_label && !broken));
    REQUIRE(row.effective == row.kinds.empty());
    if (row.effective) REQUIRE(same_image(pool.images, i, data.images, row.source));
    if (broken) REQUIRE_FALSE(same_image(pool.images, i, data.images, row.source));
    if (row.kinds.has(Defect::duplicate)) {
      REQUIRE(row.original != i);
      REQUIRE(same_image(pool.images, i, pool.images, row.original));
    } else if (!row.kinds.has(Defect::near_duplicate)) {
      REQUIRE(row.original == i);
    }
    REQUIRE(row.group == row.original);
    REQUIRE(pool.times[i] <= pool.reference_time);
  }
}

TEST_CASE("the stamp is no oracle: old records that are right, fresh ones that are stale") {
  const Clean data = clean_data(6000);
  const PlantedPool pool = plant_defects(data.images, data.labels, {});
  std::int64_t old_stale = 0, fresh_stale = 0, old_right = 0;
  for (std::size_t i = 0; i < pool.manifest.size(); ++i) {
    const bool old = pool.reference_time - pool.times[i] > 75 * 86400.;
    const bool stale = pool.manifest[i].kinds.has(Defect::stale);
    const bool copy = pool.manifest[i].original != static_cast<std::int64_t>(i);
    old_stale += old && stale && !copy;
    fresh_stale += !old && stale && !copy;
    old_right += old && !stale;
  }
  REQUIRE(old_stale == 120);
  REQUIRE(fresh_stale == 60);
  REQUIRE(old_right == 60);
}

TEST_CASE("the same seed gives the same pool, another one another") {
  const Clean data = clean_data(300);
  PlantOptions options;
  options.size = 300;
  const PlantedPool a = plant_defects(data.images, data.labels, options);
  const PlantedPool b = plant_defects(data.images, data.labels, options);
  options.seed = 1;
  const PlantedPool c = plant_defects(data.images, data.labels, options);
  REQUIRE(a.images.to_vector<std::uint8_t>() == b.images.to_vector<std::uint8_t>());
  REQUIRE(a.labels.to_vector<std::int64_t>() == b.labels.to_vector<std::int64_t>());
  REQUIRE(a.times == b.times);
  REQUIRE(a.images.to_vector<std::uint8_t>() != c.images.to_vector<std::uint8_t>());
}

TEST_CASE("only the kinds listed are planted") {
  const Clean data = clean_data(200);
  for (Defect kind : image_defects()) {
    PlantOptions options;
    options.size = 200;
    options.defects = {kind};
    const PlantedPool pool = plant_defects(data.images, data.labels, options);
    std::int64_t planted = 0;
    for (const ManifestRow& row : pool.manifest) {
      if (row.kinds.empty()) continue;
      DefectSet only;
      only.add(kind);
      REQUIRE(row.kinds == only);
      ++planted;
    }
    REQUIRE(planted == 124);
  }
}

TEST_CASE("a group of copies is credited once, whichever copy is kept") {
  // 0 is effective, 1 a good copy of it, 2 a copy with a wrong label, 3 flipped, 4 a copy of 3.
  Manifest manifest(5);
  manifest[0] = {{}, true, true, 0, 0, 0, 0};
  manifest[1] = {{}, true, false, 0, 0, 0, 0};
  manifest[2] = {{}, false, false, 0, 0, 0, 0};
  manifest[3] = {{}, false, false, 3, 3, 3, 0};
  manifest[4] = {{}, true, false, 3, 3, 3, 0};
  manifest[1].kinds.add(Defect::duplicate);
  using Rows = std::vector<std::int64_t>;
  const auto share = [&](const Rows& rows) {
    return evaluate_selection(manifest, rows).effective_share;
  };
  REQUIRE(share({0}) == 1);
  REQUIRE(share({1}) == 1);       // keep-best and keep-first are worth the same
  REQUIRE(share({0, 1}) == 0.5);  // the second copy adds a record and no credit
  REQUIRE(share({2}) == 0);
  REQUIRE(share({4}) == 0);  // right by accident, but no effective record of that group exists
  REQUIRE(evaluate_selection(manifest, Rows{0, 3}).retention == 1);
  REQUIRE(evaluate_selection(manifest, Rows{}).effective_share == 0);
  REQUIRE(recall_by_kind(manifest, Rows{0, 1})[0].recall == 0);
  REQUIRE(recall_by_kind(manifest, Rows{1})[0].recall == 1);
  REQUIRE_THROWS_AS(evaluate_selection(manifest, Rows{0, 0}), Error);
  REQUIRE_THROWS_AS(evaluate_selection(manifest, Rows{5}), Error);
}

TEST_CASE("a manifest survives its CSV; a damaged one names the line") {
  const TemporaryDirectory scratch;
  const Clean data = clean_data(200);
  PlantOptions options;
  options.size = 200;
  const Manifest manifest = plant_defects(data.images, data.labels, options).manifest;
  const auto path = scratch.path() / "manifest.csv";
  write_manifest_csv(path, manifest);
  const Manifest read = read_manifest_csv(path);
  REQUIRE(read.size() == manifest.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    REQUIRE(read[i].kinds == manifest[i].kinds);
    REQUIRE(read[i].correct == manifest[i].correct);
    REQUIRE(read[i].effective == manifest[i].effective);
    REQUIRE(read[i].original == manifest[i].original);
    REQUIRE(read[i].source == manifest[i].source);
    REQUIRE(read[i].true_label == manifest[i].true_label);
  }
  write_file_atomically(path,
                        "row,kinds,correct,effective,original,group,source,true_label\n"
                        "0,rusty,1,1,0,0,0,0\n");
  REQUIRE_THROWS_WITH(read_manifest_csv(path), Catch::Contains(":2: unknown defect 'rusty'"));
}

TEST_CASE("impossible plans are usage errors") {
  const Clean data = clean_data(50);
  PlantOptions options;
  options.size = 50;
  options.effective = 1;
  REQUIRE_THROWS_AS(plant_defects(data.images, data.labels, options), Error);
  options.effective = .38;
  options.defects = {};
  REQUIRE_THROWS_AS(plant_defects(data.images, data.labels, options), Error);
  options.defects = {Defect::flip};
  options.size = 51;  // one clean record too few
  REQUIRE_THROWS_WITH(plant_defects(data.images, data.labels, options),
                      Catch::Contains("needs 51 clean records, got 50"));
  REQUIRE_THROWS_AS(mixture_from_name("soft"), Error);
  REQUIRE_THROWS_AS(defect_from_name("flop"), Error);
}
