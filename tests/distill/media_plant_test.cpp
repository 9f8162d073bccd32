// Defects planted in the pictures and sounds of a table.
#include "distill/refine/media_plant.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "data/audio.h"
#include "data/image_file.h"
#include "distill/refine/look.h"
#include "distill/refine/sound_defects.h"
#include "distill/refine/table_plant.h"
#include "tensor/io/atomic_file.h"
#include "tensor/random.h"
#include "tests/distill/refined_tables.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

using data::ColumnType;

// u8 [channels, side, side] of random levels, which differ by channel.
Tensor random_picture(Generator& random, std::int64_t channels, std::int64_t side = 28) {
  std::vector<std::uint8_t> values;
  for (std::int64_t i = 0; i < channels * side * side; ++i) {
    values.push_back(static_cast<std::uint8_t>(40 + random.next_below(160)));
  }
  return from_values(values, {channels, side, side});
}
data::Sound random_sound(Generator& random, std::int64_t channels, std::int64_t frames) {
  data::Sound sound{empty({channels, frames}), 8000};
  double phase = 0;
  const double hertz = 200 + 600 * random.next_uniform();
  for (std::int64_t i = 0; i < frames; ++i) {
    phase += hertz * (1 + double(i) / double(frames)) / 8000;
    for (std::int64_t c = 0; c < channels; ++c) {
      sound.samples.data<float>()[c * frames + i] =
          static_cast<float>(.4 * std::sin(6.283 * phase) / double(c + 1));
    }
  }
  return sound;
}
double root_mean_square(const Tensor& samples) {
  double squares = 0;
  for (const float x : samples.to_vector<float>()) squares += double(x) * x;
  return std::sqrt(squares / double(samples.numel()));
}
// Of the file that a change makes.
Tensor changed(const fs::path& file, Defect kind, int turn, std::uint64_t seed) {
  const std::string png = changed_media(file, ColumnType::image, {kind, turn, Generator(seed)});
  return data::parse_image(std::as_bytes(std::span(png)), "changed", data::PixelFormat::rgb);
}
data::Sound changed_sound(const fs::path& file, Defect kind, int turn, std::uint64_t seed) {
  const std::string wav = changed_media(file, ColumnType::audio, {kind, turn, Generator(seed)});
  return data::parse_sound(std::as_bytes(std::span(wav)), "changed");
}

const char* kDefects = "size = 120\neffective = 0.5\nmixture = 'standard'\nseed = 3\ntrusted = 5\n";

// A table of 120 clean records of two classes, files under clean/files.
fs::path clean_table(const fs::path& folder, bool pictures, bool texts) {
  Generator random(9);
  fs::create_directories(folder / "files");
  std::string csv = std::string("file,label") + (texts ? ",text" : "") + "\n";
  for (int i = 0; i < 120; ++i) {
    const std::string name = "files/r" + std::to_string(i) + (pictures ? ".png" : ".wav");
    if (pictures) {
      data::save_png(folder / name, random_picture(random, 1));
    } else {
      write_file_atomically(folder / name, data::to_wav(random_sound(random, 1, 2400)));
    }
    csv += name + (i % 2 == 0 ? ",even" : ",odd");
    if (texts) csv += ",this is what the record of number " + std::to_string(i) + " says of itself";
    csv += "\n";
  }
  // One more time the first one, which the manifest could not tell.
  csv += std::string("files/r0") + (pictures ? ".png" : ".wav") + ",odd" +
         (texts ? ",this is what the record of number 0 says of itself" : "") + "\n";
  write_file_atomically(folder / "clean.csv", csv);
  write_file_atomically(folder / "defects.toml", kDefects);
  return folder / "clean.csv";
}
TableInput input_of(const fs::path& table) {
  TableInput input;
  input.files = {table};
  input.schema.label = "label";
  input.schema = data::infer_schema(table, input.schema);
  return input;
}
// `column` of a CSV without quotes.
std::vector<std::string> column_of(const fs::path& csv, std::size_t column) {
  std::istringstream lines(read_text(csv));
  std::vector<std::string> values;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string field;
    for (std::size_t c = 0; c <= column; ++c) std::getline(fields, field, ',');
    values.push_back(field);
  }
  values.erase(values.begin());
  return values;
}

}  // namespace

TEST_CASE("what a defect does to a picture, all channels alike", "[media_plant]") {
  const TemporaryDirectory directory;
  Generator random(1);
  const fs::path grey = directory.path() / "grey.png", colour = directory.path() / "colour.png";
  data::save_png(grey, random_picture(random, 1));
  const Tensor clean = random_picture(random, 3);
  data::save_png(colour, clean);
  const auto before = clean.to_vector<std::uint8_t>();
  const std::size_t area = 28 * 28;

  const auto blank = changed(colour, Defect::missing, 0, 4).to_vector<std::uint8_t>();
  std::size_t zeros = 0, others = 0;
  for (std::size_t i = 0; i < area; ++i) {
    const bool zero = blank[i] == 0;
    zeros += zero;
    for (int c = 0; c < 3; ++c) {
      CHECK((blank[c * area + i] == 0) == zero);
      others += !zero && blank[c * area + i] != before[c * area + i];
    }
  }
  CHECK(others == 0);
  const auto side = static_cast<std::size_t>(std::lround(std::sqrt(double(zeros))));
  CHECK(side * side == zeros);
  CHECK(side >= 14);
  CHECK(side <= 18);

  // A shift by one pixel with little noise; the same random numbers make the same file.
  const Tensor near = changed(colour, Defect::near_duplicate, 0, 5);
  const auto shifted = near.to_vector<std::uint8_t>();
  std::array<int, 3> differ{};
  for (int c = 0; c < 3; ++c) {
    double least = 1e9;
    for (const std::ptrdiff_t step : {1, -1, 28, -28}) {
      double sum = 0;
      for (std::size_t y = 2; y < 26; ++y) {
        for (std::size_t x = 2; x < 26; ++x) {
          const std::size_t at = c * area + y * 28 + x;
          sum += std::abs(int(shifted[at]) - int(before[at - step]));
        }
      }
      least = std::min(least, sum / (24 * 24));
    }
    CHECK(least < 6);
    CHECK(least > 1);
    for (std::size_t i = 0; i < area; ++i)
      differ[c] += shifted[c * area + i] != before[c * area + i];
    CHECK(differ[c] > 700);
  }
  CHECK(changed(colour, Defect::near_duplicate, 0, 5).to_vector<std::uint8_t>() == shifted);
  CHECK(changed(colour, Defect::near_duplicate, 0, 6).to_vector<std::uint8_t>() != shifted);

  // A grey one stays grey, of one channel.
  for (const Defect kind : {Defect::missing, Defect::noise, Defect::near_duplicate}) {
    CHECK(look_at(changed(grey, kind, 0, 7)).colourless);
  }
  std::set<std::vector<std::uint8_t>> foreign;
  for (int turn = 0; turn < 3; ++turn) {
    foreign.insert(changed(grey, Defect::out_of_domain, turn, 8).to_vector<std::uint8_t>());
  }
  CHECK(foreign.size() == 3);
  CHECK_THROWS_WITH(changed_media(grey, ColumnType::image, {Defect::flip, 0, Generator(1)}),
                    Catch::Contains("expected a kind that changes pictures, got flip"));
}

TEST_CASE("what a defect does to a sound, all channels alike", "[media_plant]") {
  const TemporaryDirectory directory;
  Generator random(2);
  const fs::path file = directory.path() / "s.wav";
  const data::Sound clean = random_sound(random, 2, 2800);
  write_file_atomically(file, data::to_wav(clean));
  const auto before = data::load_sound(file).samples.to_vector<float>();
  const std::int64_t n = 2800;

  const auto silenced = changed_sound(file, Defect::missing, 0, 1).samples.to_vector<float>();
  for (int c = 0; c < 2; ++c) {
    std::int64_t first = n, last = -1;
    for (std::int64_t i = 0; i < n; ++i) {
      if (silenced[c * n + i] == before[c * n + i]) continue;
      REQUIRE(silenced[c * n + i] == 0);
      first = std::min(first, i);
      last = i;
    }
    CHECK(first >= 500);
    CHECK(last < n - 490);
    CHECK(last - first + 1 >= 1390);
    CHECK(last - first + 1 <= 1800);
  }

  const Tensor noisy = changed_sound(file, Defect::noise, 0, 2).samples;
  auto noise = noisy.to_vector<float>();
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] -= before[i];
  const double loud = root_mean_square(clean.samples);
  const double level = root_mean_square(from_values(noise, {2, n}));
  CHECK(level > 1.7 * loud);  // a part is clipped
  CHECK(level < 2.1 * loud);

  const auto backwards =
      changed_sound(file, Defect::out_of_domain, 0, 3).samples.to_vector<float>();
  CHECK(std::equal(backwards.begin(), backwards.begin() + n, before.rend() - n));
  const data::Sound tones = changed_sound(file, Defect::out_of_domain, 1, 3);
  CHECK(root_mean_square(tones.samples) == Approx(loud).epsilon(.1));
  CHECK(tones.rate == 8000);
  auto parts = changed_sound(file, Defect::out_of_domain, 2, 3).samples.to_vector<float>();
  CHECK(parts != before);
  std::sort(parts.begin(), parts.begin() + n);
  auto sorted = before;
  std::sort(sorted.begin(), sorted.begin() + n);
  CHECK(std::equal(parts.begin(), parts.begin() + n, sorted.begin()));

  // A near copy: one factor and one shift of at most 10 ms explain it to a step of 16 bits.
  std::set<std::int64_t> shifts;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const auto near =
        changed_sound(file, Defect::near_duplicate, 0, seed).samples.to_vector<float>();
    double best = 1;
    std::int64_t by = 0;
    for (std::int64_t shift = -80; shift <= 80; ++shift) {
      double dot = 0, length = 0, worst = 0;
      for (std::int64_t i = 100; i < n - 100; ++i) {
        dot += double(near[i]) * before[i - shift];
        length += double(before[i - shift]) * before[i - shift];
      }
      for (std::int64_t i = 100; i < n - 100; ++i) {
        worst = std::max(worst, std::abs(near[i] - dot / length * before[i - shift]));
      }
      if (worst < best) by = shift;
      best = std::min(best, worst);
    }
    CHECK(best < 2. / 32768);
    CHECK(by != 0);
    shifts.insert(by);
  }
  CHECK(shifts.size() > 4);
  CHECK_THROWS_WITH(changed_media(file, ColumnType::audio, {Defect::flip, 0, Generator(1)}),
                    Catch::Contains("expected a kind that changes sounds, got flip"));
  data::Sound none{empty({1, 0}), 8000};  // nothing to change, and nothing breaks
  silence_part(none, random);
  shift_and_scale(none, random);
  shuffle_parts(none, random);
  add_sound_noise(none, 2, random);
  draw_tones(none, random);
  CHECK(none.samples.numel() == 0);
}

TEST_CASE("a table of pictures or sounds is planted with its files", "[media_plant]") {
  const bool pictures = GENERATE(true, false);
  CAPTURE(pictures);
  const TemporaryDirectory directory;
  const fs::path out = directory.path() / "planted";
  const fs::path table = clean_table(directory.path() / "clean", pictures, false);
  const TableInput clean = input_of(table);
  REQUIRE(clean.schema.column("file").type == (pictures ? ColumnType::image : ColumnType::audio));
  REQUIRE(clean.schema.text.empty());
  const auto options = load_table_defects(directory.path() / "clean" / "defects.toml", false);
  const PlantedTable planted = plant_table(clean, options);
  CHECK(planted.copies == 1);
  write_planted_table(out, planted, clean.schema, options);

  const auto files = column_of(out / "pool.csv", 0);
  REQUIRE(files.size() == 120);
  CHECK(std::set<std::string>(files.begin(), files.end()).size() == 120);
  const auto bytes = [&](std::int64_t row) { return read_text(out / files[row]); };
  const auto clean_bytes = [&](std::int64_t row) {
    const std::string name = "files/r" + std::to_string(row) + (pictures ? ".png" : ".wav");
    return read_text(directory.path() / "clean" / name);
  };
  std::map<Defect, int> count;
  int effective = 0;
  for (std::int64_t i = 0; i < 120; ++i) {
    CAPTURE(i, planted.manifest[i].kinds.to_string());
    CHECK(files[i].substr(0, 6) == (pictures ? "image/" : "audio/"));
    const ManifestRow& row = planted.manifest[i];
    effective += row.effective;
    bool changes = false;
    for (const Defect kind : image_defects()) {
      count[kind] += row.kinds.has(kind);
      changes = changes || (row.kinds.has(kind) &&
                            (kind == Defect::missing || kind == Defect::noise ||
                             kind == Defect::out_of_domain || kind == Defect::near_duplicate));
    }
    CHECK((bytes(i) != clean_bytes(row.source)) == changes);
    if (row.kinds.has(Defect::duplicate)) CHECK(bytes(i) == bytes(row.original));
    if (pictures) {
      CHECK(data::load_image(out / files[i], data::PixelFormat::gray).numel() == 28 * 28);
    } else {
      CHECK(data::load_sound(out / files[i]).samples.numel() == 2400);
    }
  }
  CHECK(effective == 60);
  for (const Defect kind : image_defects()) {
    CAPTURE(name_of(kind));
    CHECK(count[kind] > 0);
  }
  const auto trusted = column_of(out / "trusted.csv", 0);
  REQUIRE(trusted.size() == 5);
  for (const std::string& file : trusted) CHECK(fs::is_regular_file(out / file));

  // The same once more; and the pool can be refined, its files are found, exact copies too.
  CHECK(plant_table(clean, options).rows == planted.rows);
  TableRefineOptions refine;
  refine.input.files = {out / "pool.csv"};
  refine.input.schema = data::load_schema(out / "schema.toml");
  refine.input.schema_folder = out;
  refine.out = directory.path() / "refined";
  NoProgress quiet;
  const TableRefineResult result = refine_table(refine, quiet);
  checked_summary(result);
  CHECK(std::count(result.records.missing.begin(), result.records.missing.end(), -1) == 120);
  const auto& group = result.features.groups.group;
  for (std::int64_t i = 0; i < 120; ++i) {
    const ManifestRow& row = planted.manifest[i];
    if (row.kinds.has(Defect::duplicate)) CHECK(group[i] == group[row.original]);
  }
}

TEST_CASE("a table with texts and pictures: both are spoiled", "[media_plant]") {
  const TemporaryDirectory directory;
  const fs::path table = clean_table(directory.path() / "clean", true, true);
  TableInput clean = input_of(table);
  REQUIRE(clean.schema.text == std::vector<std::string>{"text"});
  auto options = load_table_defects(directory.path() / "clean" / "defects.toml");
  REQUIRE(std::count(options.plan.defects.begin(), options.plan.defects.end(),
                     Defect::truncation) == 1);
  const PlantedTable planted = plant_table(clean, options);
  CHECK(planted.copies == 1);
  int noisy = 0, unlabelled = 0;
  for (std::int64_t i = 0; i < 120; ++i) {
    const ManifestRow& row = planted.manifest[i];
    const std::string text =
        "this is what the record of number " + std::to_string(row.source) + " says of itself";
    CAPTURE(i, row.kinds.to_string());
    const bool no_label = planted.rows[i][1].empty();
    unlabelled += no_label;
    if (row.kinds.has(Defect::noise) || row.kinds.has(Defect::out_of_domain) ||
        row.kinds.has(Defect::near_duplicate)) {
      CHECK(planted.changes[i].has_value());
      CHECK(planted.rows[i][2] != text);
      noisy += row.kinds.has(Defect::noise);
    }
    if (row.kinds.has(Defect::missing)) CHECK(planted.changes[i].has_value() != no_label);
    if (row.kinds.empty()) CHECK_FALSE(planted.changes[i].has_value());
  }
  CHECK(noisy > 0);
  CHECK(unlabelled > 0);

  // What cannot be planted in is said.
  const auto expect = [&](const std::string& message) {
    CHECK_THROWS_WITH(plant_table(clean, options), Catch::Contains(message));
  };
  const fs::path file = directory.path() / "clean" / "files" / "r7.png";
  write_file_atomically(file, "no picture");
  expect(
      "expected pictures and sounds that can be read, found: file: one field is at fault: "
      "undecodable; the first is row 7");
  fs::remove(file);
  expect("one field is at fault: file; the first is row 7");
  clean.schema.text.clear();
  std::erase_if(clean.schema.columns, [](const auto& c) { return c.name != "file"; });
  data::save_png(file, full({1, 28, 28}, 100, DType::u8));
  expect("expected a text column for truncation, found none");
  data::ColumnSpec vectors;
  vectors.name = "text";
  vectors.type = ColumnType::embedding;
  clean.schema.columns.push_back(vectors);
  expect("expected no embeddings beside pictures or sounds, found 'text'");
  clean.schema.columns.clear();
  expect("expected a schema with a text, a picture or a sound, found none");
  clean.schema.label.clear();
  expect("expected a schema with a label, found none");
}
