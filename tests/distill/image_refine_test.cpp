// Verified images beside a pool, and a pool that has grown.
#include "distill/pipeline/image_refine.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "data/batches.h"
#include "data/idx.h"
#include "tensor/base/error.h"
#include "tensor/io/npy.h"
#include "tensor/ops.h"
#include "tests/distill/bright_images.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;
using Catch::Contains;

namespace {

// Rows of one endless set of images in two classes, some of whose labels are wrong.
struct Files {
  explicit Files(double flips) {
    made = bright_images(600);
    Generator random(4);
    label = cast(made.labels, DType::i64).to_vector<std::int64_t>();
    truth = label;
    for (std::int64_t& y : label) y = random.next_uniform() < flips ? 1 - y : y;
  }
  ImageFiles write(const std::string& name, std::vector<std::int64_t> rows,
                   const std::vector<std::int64_t>& labels) const {
    Tensor y = empty({std::ssize(rows)}, DType::u8);
    for (std::int64_t i = 0; i < y.numel(); ++i) {
      y.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(labels[rows[i]]);
    }
    const ImageFiles files{dir.path() / (name + "-images"), dir.path() / (name + "-labels")};
    data::save_idx(files.images, data::gather_rows(made.images, rows));
    data::save_idx(files.labels, y);
    return files;
  }
  static std::vector<std::int64_t> range(std::int64_t from, std::int64_t to) {
    std::vector<std::int64_t> rows;
    for (std::int64_t i = from; i < to; ++i) rows.push_back(i);
    return rows;
  }
  ImageRefineOptions options(const std::string& out) const {
    ImageRefineOptions o;
    o.trust.folds = 3;
    o.trust.batch = 16;
    o.selection = {Selection::Kind::threshold, .5};
    o.out = dir.path() / out;
    return o;
  }
  std::string output(const char* run, const char* name) const {
    return read_text(dir.path() / run / name);
  }

  TemporaryDirectory dir;
  BrightImages made;
  std::vector<std::int64_t> label, truth;
};

RefineStageResult refined(const ImageRefineOptions& options) {
  NoProgress quiet;
  return refine_images(options, quiet);
}

// How many of `rows` are kept if, and only if, their label is right.
int right(const Files& f, const RefineStageResult& r, std::int64_t from, std::int64_t to) {
  int count = 0;
  for (std::int64_t i = from; i < to; ++i) count += r.keep[i] == (f.label[i] == f.truth[i]);
  return count;
}

template <class Work>
void refuses(Work work, ErrorKind kind, const std::string& message) {
  try {
    work();
    FAIL("expected an error: " << message);
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Contains(message));
    CHECK(error.kind() == kind);
  }
}

}  // namespace

TEST_CASE("verified images teach, settle what the pool has, too, and are no part of it",
          "[image_refine]") {
  const Files f(.42);
  ImageRefineOptions o = f.options("alone");
  o.parts = {f.write("pool", Files::range(0, 120), f.label)};
  const RefineStageResult alone = refined(o);
  std::int64_t wrong = 0, sound = 0;
  while (f.label[wrong] == f.truth[wrong]) ++wrong;
  while (f.label[sound] != f.truth[sound]) ++sound;
  std::vector<std::int64_t> rows = Files::range(200, 280);
  rows.push_back(wrong);
  rows.push_back(sound);
  o.trusted = f.write("trusted", rows, f.truth);
  o.out = f.dir.path() / "taught";
  const RefineStageResult taught = refined(o);
  CHECK(taught.keep.size() == 120);
  CHECK(taught.score[wrong] == 0);
  CHECK(taught.score[sound] == 1);
  INFO("right verdicts of 120: " << right(f, alone, 0, 120) << ", " << right(f, taught, 0, 120));
  CHECK(right(f, taught, 0, 120) >= right(f, alone, 0, 120) + 8);
  CHECK(right(f, taught, 0, 120) >= 114);
  const auto summary = nlohmann::json::parse(f.output("taught", "summary.json"));
  CHECK(summary.at("total") == 120);
  CHECK(summary.at("trusted_records") == 82);
  CHECK(summary.at("trusted_overlap") == 2);
  CHECK(summary.at("notes").dump().find(str("first: row ", wrong)) != std::string::npos);
}

TEST_CASE("verified images that do not fit are refused with what is expected", "[image_refine]") {
  const Files f(.1);
  ImageRefineOptions o = f.options("out");
  o.parts = {f.write("pool", Files::range(0, 60), f.label)};
  const auto bad = ErrorKind::bad_input;
  const auto work = [&] { refined(o); };
  std::vector<std::int64_t> other = f.truth;
  other[205] = 3;
  o.trusted = f.write("trusted", Files::range(200, 210), other);
  refuses(work, bad, "trusted-labels: image 5: expected a label that the pool has, found 3");
  // One image twice, with two labels.
  o.trusted = f.write("trusted", {200, 203, 200}, f.truth);
  data::save_idx(o.trusted->labels, from_values(std::vector<std::uint8_t>{0, 1, 1}, {3}));
  refuses(work, bad, "images 0 and 2 have the same pixels: expected one label, found 0 and 1");
  data::save_idx(o.trusted->images, zeros({3, 12, 8}, DType::u8));
  refuses(work, bad, "expected images of 12 x 12 pixels as in the pool, found 12 x 8");
  data::save_idx(o.trusted->images, zeros({2, 12, 12}, DType::u8));
  refuses(work, bad, "expected 2 labels");
  o.trusted->images = f.dir.path() / "none";
  refuses(work, bad, "none");
  o.trusted = f.write("trusted", Files::range(200, 210), f.truth);
  o.probabilities = f.dir.path() / "p.npy";
  refuses(work, ErrorKind::usage, "--trusted: expected no --probabilities");
  o = f.options("out");
  o.parts = {f.write("pool", Files::range(0, 60), f.label),
             {f.dir.path() / "narrow", f.dir.path() / "pool-labels"}};
  data::save_idx(f.dir.path() / "narrow", zeros({60, 12, 8}, DType::u8));
  refuses(work, bad, "narrow: expected images of 12 x 12 pixels as in the first file");
}

TEST_CASE("a pool that has grown is refined on: old verdicts stay, new images are judged",
          "[image_refine]") {
  const Files f(.15);
  ImageRefineOptions o = f.options("first");
  o.parts = {f.write("old", Files::range(0, 200), f.label)};
  o.times = {f.dir.path() / "old.npy"};
  save_npy(o.times[0], arange(200));
  const RefineStageResult first = refined(o);
  // New ones, and behind them a copy of an image that was kept and one of an image that was not.
  std::int64_t kept = 0, dropped = 0;
  while (!first.keep[kept]) ++kept;
  while (first.keep[dropped] || first.reason[dropped] != "label") ++dropped;
  std::vector<std::int64_t> fresh = Files::range(200, 300);
  fresh.push_back(kept);
  fresh.push_back(dropped);
  std::vector<std::int64_t> labels = f.label;
  labels[dropped] = f.truth[dropped];
  o.parts.push_back(f.write("new", fresh, labels));
  o.times.push_back(f.dir.path() / "new.npy");
  save_npy(o.times[1], arange(102));
  o.extend = o.out;
  o.out = f.dir.path() / "second";
  const RefineStageResult second = refined(o);
  REQUIRE(second.keep.size() == 302);
  CHECK(f.output("second", "scores.csv").starts_with(f.output("first", "scores.csv")));
  CHECK(std::equal(first.kept.begin(), first.kept.end(), second.kept.begin()));
  CHECK(right(f, second, 200, 300) >= 96);
  CHECK(second.reason[300] == "duplicate");
  CHECK(second.keep[301] == 1);  // a right label in the place of a wrong one
  const auto summary = nlohmann::json::parse(f.output("second", "summary.json"));
  CHECK(summary.at("earlier_records") == 200);
  // And once more, from the extension, within a budget, with verified images.
  o.parts.push_back(f.write("third", Files::range(300, 340), f.label));
  o.times.push_back(f.dir.path() / "third.npy");
  save_npy(o.times[2], arange(40));
  o.extend = o.out;
  o.out = f.dir.path() / "third";
  o.selection = {Selection::Kind::budget, 10};
  std::vector<std::int64_t> vouched = Files::range(400, 440);
  vouched.push_back(310);
  o.trusted = f.write("trusted", vouched, f.truth);
  const RefineStageResult third = refined(o);
  CHECK(f.output("third", "scores.csv").starts_with(f.output("second", "scores.csv")));
  CHECK(third.kept.size() == second.kept.size() + 10);
  CHECK(third.score[312] == (f.label[310] == f.truth[310] ? 1 : 0));  // two copies stand before it
  // Answers that are brought along count for the new images alone.
  ImageRefineOptions brought = f.options("brought");
  brought.parts = {f.write("old", Files::range(0, 60), f.label)};
  brought.probabilities = f.dir.path() / "p.npy";
  save_npy(brought.probabilities, full({60, 2}, .5));
  refined(brought);
  brought.parts.push_back(f.write("new", Files::range(60, 80), f.label));
  Tensor p = full({80, 2}, .5);
  for (std::int64_t i = 0; i < 80; ++i) {
    p.data<float>()[2 * i + f.truth[i]] = .9f;
    p.data<float>()[2 * i + 1 - f.truth[i]] = .1f;
  }
  save_npy(brought.probabilities, p);
  brought.extend = brought.out;
  brought.out = f.dir.path() / "brought2";
  const RefineStageResult more = refined(brought);
  CHECK(f.output("brought2", "scores.csv").starts_with(f.output("brought", "scores.csv")));
  CHECK(right(f, more, 60, 80) >= 19);
}

TEST_CASE("an extension of images refuses what it cannot go on from", "[image_refine]") {
  const Files f(.1);
  ImageRefineOptions o = f.options("first");
  o.trust.epochs = 1;
  const auto work = [&] { refined(o); };
  const auto bad = ErrorKind::bad_input, usage = ErrorKind::usage;
  o.parts = {f.write("old", Files::range(0, 60), f.label)};
  refined(o);
  o.extend = o.out;
  refuses(work, usage, "expected another directory than --out");
  o.out = f.dir.path() / "second";
  refuses(work, bad, "expected more than the 60 images");
  o.parts.push_back(f.write("new", Files::range(60, 80), f.label));
  std::swap(o.parts[0], o.parts[1]);
  refuses(work, bad, "expected the input to begin with the 60 images");
  std::swap(o.parts[0], o.parts[1]);
  o.trust.seed = 4;
  refuses(work, usage, "--seed is another");
  o.trust.seed = 0;
  o.times = {f.dir.path() / "t.npy"};
  save_npy(o.times[0], arange(80));
  refuses(work, usage, "whether --time is given is another");
  save_npy(o.times[0], arange(79));
  refuses(work, bad, "t.npy: expected one number for each of 80 images in all, found 79");
  o.times.clear();
  std::vector<std::int64_t> labels = f.label;
  labels[70] = 5;
  f.write("new", Files::range(60, 80), labels);
  refuses(work, bad, "expected labels below 2");
  f.write("new", Files::range(60, 80), f.label);
  o.extend = f.dir.path() / "none";
  refuses(work, bad, "state.safetensors");
  o.extend = f.dir.path() / "torn";
  std::filesystem::create_directories(o.extend);
  std::filesystem::copy(f.dir.path() / "first" / "state.safetensors", o.extend);
  write_text(o.extend / "scores.csv", "row,keep\n0,1\n");
  refuses(work, bad, "expected the header of scores.csv");
  write_text(o.extend / "scores.csv", "row,id,keep,reason,score,freshness\n0,0,1,,high,\n");
  refuses(work, bad, "scores.csv:2: expected a number, found 'high'");
  write_text(o.extend / "scores.csv", "row,id,keep,reason,score,freshness\n0,0,1,,0.5,\n");
  refuses(work, bad, "state.safetensors speaks of 60 records, scores.csv of 1");
  save_safetensors(o.extend / "state.safetensors", {}, {{"format", "1"}});
  refuses(work, bad, "expected the state of a refinement of images (format images-1), found 1");
}
