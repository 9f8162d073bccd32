// Tables with a column of embeddings.
#include <catch2/catch.hpp>
#include <cmath>

#include "distill/refine/feature_values.h"
#include "tensor/base/error.h"
#include "tensor/io/npy.h"
#include "tensor/random.h"
#include "tests/distill/refined_tables.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

// A vector of `width` whose first number tells the class.
std::vector<float> class_vector(Generator& random, int label, int width) {
  std::vector<float> x;
  for (int k = 0; k < width; ++k) x.push_back(static_cast<float>(random.next_normal()) / 2);
  x[0] += label ? 2.f : -2.f;
  return x;
}

}  // namespace

TEST_CASE("a column of embeddings judges labels as a file beside the table does",
          "[media_refine]") {
  const TemporaryDirectory directory;
  Generator random(3);
  std::string with = "", without = "";
  std::vector<float> all;
  std::vector<char> flipped;
  for (int i = 0; i < 240; ++i) {
    const int label = i % 2;
    flipped.push_back(random.next_uniform() < .15);
    const std::vector<float> x = class_vector(random, label, 8);
    all.insert(all.end(), x.begin(), x.end());
    Json record = {{"id", i},
                   {"text", "record number " + std::to_string(i * 7919 % 1000) + " says " +
                                std::to_string(random.next_below(1000)) + " things"},
                   {"label", label != flipped.back() ? "b" : "a"}};
    without += record.dump() + "\n";
    record["vector"] = x;
    with += record.dump() + "\n";
  }
  write_text(directory.path() / "with.jsonl", with);
  write_text(directory.path() / "without.jsonl", without);
  save_npy(directory.path() / "v.npy", from_values(all, {240, 8}));
  NoProgress quiet;
  const auto own = options_for(directory.path() / "with.jsonl", directory.path() / "own");
  CHECK(own.input.schema.column("vector").type == data::ColumnType::embedding);
  CHECK(own.input.schema.column("vector").width == 8);
  auto beside = options_for(directory.path() / "without.jsonl", directory.path() / "beside");
  beside.features.embeddings = {directory.path() / "v.npy"};
  const TableRefineResult a = refine_table(own, quiet), b = refine_table(beside, quiet);
  std::vector<double> trust;
  for (std::int64_t i = 0; i < 240; ++i) {
    for (std::size_t k = 2; k < kFeatures; ++k) {
      const double x = a.features.row[i][k], y = b.features.row[i][k];
      // JSON's shortest spelling of an f32 is read back to the same f32.
      CHECK((x == y || (!is_applicable(x) && !is_applicable(y))));
    }
    trust.push_back(a.features.row[i][3]);
  }
  std::vector<char> right;
  for (const char f : flipped) right.push_back(!f);
  CHECK(auroc(trust, right) > .97);
  auto both = own;
  both.features.embeddings = beside.features.embeddings;
  CHECK_THROWS_WITH(refine_table(both, quiet),
                    Catch::Contains("--embeddings: expected none, since the table has a column"));
}

TEST_CASE("tables with embeddings are extended, and verified records bring their own",
          "[media_refine]") {
  const TemporaryDirectory directory;
  Generator random(8);
  std::string table, verified;
  std::vector<char> right;
  for (int i = 0; i < 330; ++i) {
    const int label = i % 2;
    const bool flip = i < 300 && random.next_uniform() < .1;
    const Json record = {{"vector", class_vector(random, label, 8)},
                         {"label", label != flip ? "b" : "a"}};
    (i < 300 ? table : verified) += record.dump() + "\n";
    if (i < 300) right.push_back(!flip);
  }
  std::size_t part = 0;
  for (int line = 0; line < 250; ++line) part = table.find('\n', part) + 1;
  write_text(directory.path() / "old.jsonl", table.substr(0, part));
  write_text(directory.path() / "new.jsonl", table.substr(part));
  write_text(directory.path() / "verified.jsonl", verified);
  NoProgress quiet;
  auto first = options_for(directory.path() / "old.jsonl", directory.path() / "first");
  refine_table(first, quiet);
  auto second = first;
  second.input.files.push_back(directory.path() / "new.jsonl");
  second.out = directory.path() / "second";
  second.extend = first.out;
  const TableRefineResult extended = refine_table(second, quiet);
  checked_summary(extended);
  auto whole = second;
  whole.extend.clear();
  whole.out = directory.path() / "whole";
  whole.features.trusted.records = directory.path() / "verified.jsonl";
  const TableRefineResult trusted = refine_table(whole, quiet);
  CHECK(trusted.features.trusted == 30);
  for (const TableRefineResult* result : {&extended, &trusted}) {
    std::vector<double> trust;
    for (std::int64_t i = 0; i < 300; ++i) trust.push_back(result->features.row[i][3]);
    CHECK(auroc(trust, right) > .95);
  }
  whole.features.trusted.embeddings = directory.path() / "v.npy";
  save_npy(whole.features.trusted.embeddings, zeros({30, 8}));
  CHECK_THROWS_WITH(refine_table(whole, quiet),
                    Catch::Contains("--trusted-embeddings: expected none"));
}

TEST_CASE("vectors that cannot be used are dropped with a reason of their own", "[media_refine]") {
  const TemporaryDirectory directory;
  const auto input = directory.path() / "pool.csv";
  Generator random(4);
  std::string csv = "name,vector,label\n";
  for (int i = 0; i < 60; ++i) {
    csv += "r" + std::to_string(i) + ",\"[";
    for (const float x : class_vector(random, i % 2, 8)) csv += std::to_string(x) + ", ";
    csv.resize(csv.size() - 2);
    csv += i % 2 ? "]\",b\n" : "]\",a\n";
  }
  const std::string copy = csv.substr(csv.find("r0,") + 2, csv.find("r1,") - csv.find("r0,") - 2);
  csv += "copy" + copy;
  csv += "near" + std::string(copy).replace(copy.find('.') + 5, 1, "5");
  csv +=
      "short,1 2 3 4,a\nnan,1 2 3 4 5 6 7 nan,a\nzero,\"0,0,0,0,0,0,0,0\",a\n"
      "words,none of it,a\ngap,,a\nmarked,N/A,a\n";
  csv += "odd,1\n";
  write_text(input, csv);
  NoProgress quiet;
  const auto options = options_for(input, directory.path() / "out");
  REQUIRE(options.input.schema.column("vector").type == data::ColumnType::embedding);
  CHECK(data::to_toml(options.input.schema).find("type = 'embedding'\nwidth = 8") !=
        std::string::npos);
  const TableRefineResult result = refine_table(options, quiet);
  const Json summary = checked_summary(result);
  CHECK(summary["rejected"] == 1);
  CHECK(result.features.groups.group[60] == 0);
  CHECK(result.features.groups.group[61] == 0);
  CHECK(result.features.groups.group[1] == 1);
  CHECK(result.features.groups.exact[60] == 1);
  CHECK(result.features.groups.exact[61] == 0);
  CHECK(reason(result, 62) == "width:vector");
  CHECK(reason(result, 63) == "not_finite:vector");
  CHECK(reason(result, 64) == "zero:vector");
  CHECK(reason(result, 65) == "type:vector");
  CHECK(reason(result, 66) == "missing:vector");
  CHECK(reason(result, 67) == "missing:vector");
  CHECK(has_note(summary,
                 "vector: one field is at fault: width (expected 8 numbers); the first "
                 "is row 62: '1 2 3 4'"));
  for (std::int64_t i = 62; i < 68; ++i) {
    CAPTURE(i);
    CHECK(result.records.completeness[i] < 1);
    CHECK_FALSE(is_applicable(result.features.row[i][4]));  // novelty
  }
  CHECK(result.records.completeness[5] == 1);
  CHECK(read_text(directory.path() / "out" / "repairs.csv").find("63,63,vector,not_finite") !=
        std::string::npos);
}

TEST_CASE("schemas with impossible media columns are refused", "[media_refine]") {
  using data::check_schema;
  using data::parse_schema;
  const auto schema = parse_schema(
      "folder = '../x'\n[columns.v]\ntype = 'embedding'\nwidth = 3\n[columns.p]\ntype = 'image'",
      "s");
  CHECK(data::to_toml(parse_schema(data::to_toml(schema), "again")) == data::to_toml(schema));
  CHECK(schema.folder == "../x");
  CHECK(schema.column("v").width == 3);
  CHECK_THROWS_WITH(parse_schema("[columns.v]\ntype = 'text'\nwidth = 3", "s"),
                    Catch::Contains("expected 1 to 1000000 for a column of type embedding"));
  CHECK_THROWS_WITH(
      check_schema(
          parse_schema("columns = { a = { type = 'image' }, b = { type = 'image' } }", "s"),
          {"a", "b"}, "x.csv"),
      Catch::Contains("expected at most one column of type image, found 'a' and 'b'"));
  CHECK_THROWS_WITH(
      check_schema(parse_schema("label = 'a'\ncolumns = { a = { type = 'audio' } }", "s"), {"a"},
                   "x.csv"),
      Catch::Contains("expected no id, label, time or text of type audio"));
}
