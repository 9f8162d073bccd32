#include "data/table_schema.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "data/time_text.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::data;

TEST_CASE("times are read by format, impossible ones are not", "[schema]") {
  CHECK(parse_time("2024-01-01T00:00:00Z", "%Y-%m-%dT%H:%M:%S%z") == 1704067200);
  CHECK(parse_time("2024-01-01T01:30:00+01:30", "%FT%T%z") == 1704067200);
  CHECK(parse_time("30/Sep/21 17:20", "%d/%b/%y %H:%M") == 1633022400);
  CHECK(parse_time("7:16 p.m.", "%I:%M %p") == 19 * 3600 + 16 * 60);
  CHECK(parse_time("12:00 am", "%I:%M %p") == 0);
  CHECK(parse_time("1704067200500", "epoch_ms") == 1704067200.5);
  CHECK(parse_time("0.25", "epoch") == .25);
  CHECK_FALSE(parse_time("2023-02-29", "%Y-%m-%d"));
  CHECK(parse_time("2024-02-29", "%Y-%m-%d"));
  CHECK_FALSE(parse_time("2024-13-01", "%Y-%m-%d"));
  CHECK_FALSE(parse_time("25:00", "%H:%M"));
  CHECK_FALSE(parse_time("2024-01-01x", "%Y-%m-%d"));
  CHECK(std::isnan(parse_time("yesterday", usual_time_formats())));
  CHECK(format_time(1704067200) == "2024-01-01T00:00:00Z");
  CHECK(format_time(-1) == "1969-12-31T23:59:59Z");
}

TEST_CASE("values, numbers and what stands for nothing", "[schema]") {
  const auto sentinels = TableSchema::default_sentinels();
  for (const char* value : {"", "  ", "n/a", " NULL ", "Not Available", "?"}) {
    CHECK(is_absent(value, sentinels));
  }
  CHECK_FALSE(is_absent("nanny", sentinels));
  CHECK(parse_number(" -1.5e3 ") == -1500);
  CHECK(parse_number("+7") == 7);
  for (const char* value : {"", "12 oz", "nan", "inf", "1,000", "0x10"}) {
    CHECK_FALSE(parse_number(value));
  }
}

TEST_CASE("a schema survives its TOML; mistakes name file, line and what was expected",
          "[schema]") {
  const TableSchema schema = parse_schema(R"(
id = "id"
label = "y"
text = ["a", "b"]
time = "t"
reference_time = "2024-01-01T00:00:00Z"
sentinels = ["none"]
[columns.t]
type = "timestamp"
formats = ["%d/%m/%Y"]
required = true
[columns.n]
type = "number"
min = 0
max = 2.5
[[rules]]
kind = "functional_dependency"
determinant = "id"
dependent = ["n", "t"]
source = "a"
[[rules]]
name = "short"
expression = "len_a < 10"
action = "score"
)",
                                          "s.toml");
  CHECK(schema.column("n").max == 2.5);
  CHECK(schema.column("other").type == ColumnType::category);
  CHECK(schema.rules.at(0).dependent == std::vector<std::string>{"n", "t"});
  CHECK_FALSE(schema.rules.at(1).drop);
  CHECK(to_toml(parse_schema(to_toml(schema), "again")) == to_toml(schema));
  CHECK_THROWS_WITH(parse_schema("a = ", "s.toml"), Catch::Contains("s.toml: line 1"));
  CHECK_THROWS_WITH(parse_schema("\nidd = 'x'", "s.toml"),
                    Catch::Contains("line 2: unknown key idd; expected one of"));
  CHECK_THROWS_WITH(parse_schema("id = 3", "s.toml"), Catch::Contains("expected a string"));
  CHECK_THROWS_WITH(parse_schema("[columns.a]\ntype = 'word'", "s.toml"),
                    Catch::Contains("expected one of text, category, number, timestamp"));
  CHECK_THROWS_WITH(parse_schema("[[rules]]\nkind = 'regex'\ncolumn = 'a'", "s.toml"),
                    Catch::Contains("expected a pattern"));
  CHECK_THROWS_WITH(check_schema(schema, {"id", "y", "a", "b", "t"}, "x.csv"),
                    Catch::Contains("found 'n'"));
}

TEST_CASE("types and roles are inferred from the records", "[schema]") {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "a.csv";
  std::string text = "id,created,price,label,note,gap\n";
  for (int i = 0; i < 100; ++i) {
    text += std::to_string(i) + ",2024-01-0" + std::to_string(1 + i % 9) + "," +
            std::to_string(i * .5) + (i % 2 ? ",yes" : ",no") + ",what was said about item " +
            std::to_string(i) + "," + (i % 3 ? "" : "x") + "\n";
  }
  write_text(path, text);
  const TableSchema schema = infer_schema(path, {});
  CHECK(schema.id == "id");
  CHECK(schema.time == "created");
  CHECK(schema.label == "label");
  CHECK(schema.text == std::vector<std::string>{"note"});
  CHECK(schema.column("price").type == ColumnType::number);
  CHECK(schema.column("created").time_formats == std::vector<std::string>{"%Y-%m-%d"});
  CHECK(schema.column("price").required);
  CHECK_FALSE(schema.column("gap").required);
}

TEST_CASE("pictures, sounds and vectors are inferred where they are unmistakable", "[schema]") {
  const TemporaryDirectory directory;
  std::string text = "photo,gone,link,sound,vector,box,counts,second\n";
  for (int i = 0; i < 10; ++i) {
    const std::string n = std::to_string(i);
    write_text(directory.path() / "files" / (n + ".PNG"), "");
    write_text(directory.path() / "files" / (n + ".wav"), "");
    text += "files/" + n + ".PNG,files/" + n + ".jpg,https://x.org/" + n + ".png,files/" + n +
            ".wav,\"[0.5, 1, 2, 3, 4, 5, 6, " + n + "]\",\"[0.5, 1, 2, " + n +
            "]\",1 2 3 4 5 6 7 " + n + ",0.5 1 2 3 4 5 6 " + n + "\n";
  }
  const auto path = directory.path() / "a.csv";
  write_text(path, text);
  const TableSchema schema = infer_schema(path, {});
  CHECK(schema.column("photo").type == ColumnType::image);
  CHECK(schema.column("sound").type == ColumnType::audio);
  CHECK(schema.column("vector").type == ColumnType::embedding);
  CHECK(schema.column("vector").width == 8);
  for (const char* name : {"gone", "link", "box", "counts", "second"}) {
    CAPTURE(name);
    CHECK_FALSE(is_media(schema.column(name).type));
  }
  CHECK(usual_width(path, schema, "box") == 4);
  CHECK(usual_width(path, schema, "photo") == 0);
  TableSchema given;
  given.text = {"vector"};  // what somebody calls a text stays one
  CHECK_FALSE(is_media(infer_schema(path, given).column("vector").type));
}
