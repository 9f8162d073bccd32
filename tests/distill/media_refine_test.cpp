// Tables with columns of pictures and sounds.
#include <catch2/catch.hpp>
#include <cmath>

#include "data/audio.h"
#include "data/image_file.h"
#include "distill/pipeline/look_labels.h"
#include "distill/refine/feature_values.h"
#include "tensor/random.h"
#include "tests/distill/refined_tables.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

// A disc on the left or on the right of a ground that gets brighter downwards, and noise.
struct Scene {
  int label = 0;
  double ground = 60, slope = 1, radius = 8, shift = 0, red = 1;
};
Tensor picture(const Scene& s, Generator& random, std::int64_t side) {
  Tensor image = empty({3, side, side}, DType::u8);
  auto* out = image.data<std::uint8_t>();
  for (int c = 0; c < 3; ++c) {
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        const double v = 40. * double(y) / double(side), u = 40. * double(x) / double(side);
        const double du = u - (s.label ? 28 : 12), dv = v - 20 - s.shift;
        double value = s.ground + s.slope * v;
        if (du * du + dv * dv < s.radius * s.radius) value = c == 0 ? 220 * s.red : 200;
        *out++ = static_cast<std::uint8_t>(std::clamp(value + random.next_normal(), 0., 255.));
      }
    }
  }
  return image;
}
Scene random_scene(Generator& random, int label) {
  return {label,
          20 + 100 * random.next_uniform(),
          3 * random.next_uniform(),
          5 + 5 * random.next_uniform(),
          10 * random.next_uniform() - 5,
          .2 + .8 * random.next_uniform()};
}

// Of one channel, samples in [-1, 1].
void write_wav(const fs::path& path, const std::vector<double>& samples, std::int64_t rate) {
  const std::vector<float> values(samples.begin(), samples.end());
  write_text(path, data::to_wav({from_values(values, {1, std::ssize(values)}), rate}));
}
std::vector<double> chirp(double from, double to, double volume, int count = 4000) {
  std::vector<double> samples;
  double phase = 0;
  for (int i = 0; i < count; ++i) {
    phase += (from + (to - from) * i / count) / 8000 * 2 * 3.14159265358979;
    samples.push_back(volume * std::sin(phase));
  }
  return samples;
}

}  // namespace

TEST_CASE("pictures of a table: what cannot be read, what shows nothing, copies, labels",
          "[media_refine]") {
  const TemporaryDirectory directory;
  const auto folder = directory.path() / "pictures";
  fs::create_directories(folder);
  Generator random(5);
  std::string csv = "photo,label\n";
  std::vector<char> right;
  Scene first;
  const auto add = [&](const std::string& name, const char* label) {
    csv += "pictures/" + name + "," + label + "\n";
  };
  for (int i = 0; i < 200; ++i) {
    const Scene scene = random_scene(random, i % 2);
    if (i == 0) first = scene;
    const std::string name = "p" + std::to_string(i) + ".png";
    data::save_png(folder / name, picture(scene, random, 40));
    right.push_back(random.next_uniform() >= .1);
    add(name, (i % 2 == 1) == (right.back() != 0) ? "right" : "left");
  }
  const char* label = right[0] ? "left" : "right";
  fs::copy_file(folder / "p0.png", folder / "copy.png");
  add("copy.png", label);
  data::save_png(
      folder / "near.png",
      data::resize_image(data::load_image(folder / "p0.png", data::PixelFormat::rgb), 57, 70));
  add("near.png", label);
  Scene recoloured = first;
  recoloured.red = first.red > .6 ? .2 : 1;
  data::save_png(folder / "colour.png", picture(recoloured, random, 40));
  add("colour.png", label);
  write_text(folder / "text.png", "no picture");
  add("text.png", label);
  const std::string whole = read_text(folder / "p1.png");
  write_text(folder / "cut.png", whole.substr(0, whole.size() / 2));
  add("cut.png", label);
  add("gone.png", label);
  fs::create_directories(folder / "folder.png");
  add("folder.png", label);
  data::save_png(folder / "blank.png", full({3, 40, 40}, 90, DType::u8));
  add("blank.png", label);
  data::save_png(folder / "tiny.png", full({3, 4, 4}, 90, DType::u8));
  add("tiny.png", label);
  csv += "," + std::string(label) + "\n";
  const auto input = directory.path() / "pool.csv";
  write_text(input, csv);
  NoProgress quiet;
  const auto options = options_for(input, directory.path() / "out");
  REQUIRE(options.input.schema.column("photo").type == data::ColumnType::image);
  const TableRefineResult result = refine_table(options, quiet);
  const Json summary = checked_summary(result);
  CHECK(summary["total"] == 210);
  const auto& groups = result.features.groups;
  CHECK(groups.group[200] == 0);
  CHECK(groups.exact[200] == 1);
  CHECK(groups.group[201] == 0);
  CHECK(groups.exact[201] == 0);
  CHECK(groups.group[202] == 202);
  CHECK(reason(result, 203) == "undecodable:photo");
  CHECK(reason(result, 204) == "undecodable:photo");
  CHECK(reason(result, 205) == "file:photo");
  CHECK(reason(result, 206) == "file:photo");
  CHECK(reason(result, 207) == "surface:blank_image");
  CHECK(reason(result, 208) == "surface:tiny_image");
  CHECK(reason(result, 209) == "missing:photo");
  CHECK(result.records.completeness[205] == .5);  // the label is there
  CHECK(result.records.completeness[0] == 1);
  CHECK(has_note(summary, "photo: 2 fields are at fault: undecodable; the first is row 203"));
  CHECK(has_note(summary, "found 10 other bytes"));
  // The page shows the pictures that there are.
  const std::string page = read_text(options.out / "report.html");
  CHECK(page.find("alt=\"picture of row 207\" src=\"data:image/png;base64,iVBOR") != page.npos);
  CHECK(page.find("picture of row 203") == page.npos);
  // Copies of one picture: one of each group stays.
  CHECK(result.selection.keep[0] + result.selection.keep[200] + result.selection.keep[201] <= 1);
  std::vector<double> trust_of_looks, trust_of_models;
  for (std::int64_t i = 0; i < 200; ++i) trust_of_looks.push_back(result.features.row[i][3]);
  CHECK(auroc(trust_of_looks, right) > .95);

  // The same by small CNNs, which the command asks.
  auto by_models = options;
  by_models.out = directory.path() / "models";
  OutOfFoldOptions trust;
  trust.epochs = 3;
  by_models.features.judge_looks = look_judge(by_models.out, trust, {});
  const TableRefineResult judged = refine_table(by_models, quiet);
  for (std::int64_t i = 0; i < 200; ++i) trust_of_models.push_back(judged.features.row[i][3]);
  CHECK(auroc(trust_of_models, right) > .9);
  CHECK_FALSE(is_applicable(judged.features.row[205][3]));

  // What was kept can be refined again, though it lies elsewhere.
  TableRefineOptions again;
  again.input.files = {directory.path() / "out" / "golden.csv"};
  again.input.schema = data::load_schema(directory.path() / "out" / "schema.toml");
  again.input.schema_folder = directory.path() / "out";
  again.out = directory.path() / "again";
  const TableRefineResult second = refine_table(again, quiet);
  CHECK(second.records.size() == result.selection.kept);
  CHECK(std::count(second.records.missing.begin(), second.records.missing.end(), -1) ==
        second.records.size());
}

TEST_CASE("a picture may be lacking beside a text, and texts with other pictures are no copies",
          "[media_refine]") {
  const TemporaryDirectory directory;
  Generator random(6);
  data::save_png(directory.path() / "a.png", picture({0}, random, 40));
  data::save_png(directory.path() / "b.png", picture({1}, random, 40));
  const std::string text = "a disc stands on a ground that gets brighter";
  write_text(directory.path() / "pool.csv", "text,photo\n" + text + ",a.png\n" + text + ",b.png\n" +
                                                text + ",a.png\n" + text + ",\n" + text +
                                                ",\nsomething else is said of the disc,a.png\n" +
                                                "another one stands here for nothing,c.png\n");
  data::TableSchema schema = data::parse_schema(
      "text = 'text'\n[columns.photo]\ntype = 'image'\n[columns.text]\ntype = 'text'", "s.toml");
  TableRefineOptions options;
  options.input.files = {directory.path() / "pool.csv"};
  options.input.schema = schema;
  options.out = directory.path() / "out";
  NoProgress quiet;
  const TableRefineResult result = refine_table(options, quiet);
  checked_summary(result);
  CHECK(result.features.groups.group == std::vector<std::int64_t>{0, 1, 0, 3, 3, 5, 6});
  CHECK(reason(result, 3) != "missing:photo");
  CHECK(reason(result, 6) == "file:photo");
  schema.columns[0].required = true;
  options.input.schema = schema;
  const TableRefineResult strict = refine_table(options, quiet);
  CHECK(reason(strict, 3) == "missing:photo");
}

TEST_CASE("sounds of a table: silence, clipping, copies at another volume", "[media_refine]") {
  const TemporaryDirectory directory;
  Generator random(7);
  std::string csv = "sound,label\n";
  const auto add = [&](const std::string& name, const std::vector<double>& samples) {
    write_wav(directory.path() / name, samples, 8000);
    csv += name + ",x\n";
  };
  for (int i = 0; i < 12; ++i) {
    add("s" + std::to_string(i) + ".wav", chirp(300 + 200 * i, 3300 - 150 * i, .5));
  }
  add("quiet.wav", chirp(300, 3300, .25));
  add("long.wav", chirp(300, 3300, .25, 8000));
  add("silent.wav", std::vector<double>(4000, 0));
  add("short.wav", chirp(300, 400, .5, 200));
  auto clipped = chirp(300, 900, 3);
  for (double& x : clipped) x = std::clamp(x, -1., 1.);
  add("clipped.wav", clipped);
  write_text(directory.path() / "bad.wav", "RIFF but nothing else");
  csv += "bad.wav,x\nnot_there.wav,x\n";
  write_text(directory.path() / "pool.csv", csv);
  NoProgress quiet;
  const auto options = options_for(directory.path() / "pool.csv", directory.path() / "out");
  REQUIRE(options.input.schema.column("sound").type == data::ColumnType::audio);
  const TableRefineResult result = refine_table(options, quiet);
  checked_summary(result);
  for (std::int64_t i = 0; i < 12; ++i) CHECK(result.features.groups.group[i] == i);
  CHECK(result.features.groups.group[12] == 0);
  CHECK(result.features.groups.group[13] == 13);  // twice as long
  CHECK(reason(result, 14) == "surface:silent_sound");
  CHECK(reason(result, 15) == "surface:short_sound");
  CHECK(reason(result, 16) == "surface:clipped_sound");
  CHECK(reason(result, 17) == "undecodable:sound");
  CHECK(reason(result, 18) == "file:sound");
}
