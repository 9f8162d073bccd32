#include "data/record_reader.h"

#include <catch2/catch.hpp>

#include "data/gzip.h"
#include "data/json_record.h"
#include "tensor/base/error.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::data;

namespace {

struct Read {
  std::vector<std::vector<std::string>> rows;
  std::vector<RecordProblem> problems;
  std::vector<std::int64_t> problem_lines;
  std::vector<std::string> columns;
  std::string raw;  // header and records, all of them
  std::int64_t blank = 0;
};

Read read(const std::filesystem::path& path, TableDialect dialect, RecordLimits limits = {}) {
  RecordReader reader(path, dialect, limits);
  Read result;
  result.columns = reader.columns();
  result.raw = reader.header();
  Record record;
  while (reader.next(record)) {
    result.raw += record.raw;
    if (record.problem) {
      result.problems.push_back(*record.problem);
      result.problem_lines.push_back(record.line);
    } else {
      result.rows.emplace_back(record.fields.begin(), record.fields.end());
    }
  }
  result.blank = reader.blank_lines();
  return result;
}

Read read_text(const char* name, const std::string& text, RecordLimits limits = {}) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / name;
  write_text(path, text);
  return read(path, dialect_of_path(path), limits);
}

using Rows = std::vector<std::vector<std::string>>;

}  // namespace

TEST_CASE("CSV is read as RFC 4180 has it, every byte accounted for", "[records]") {
  const std::string text =
      "\xef\xbb\xbfid,\"say\",n\r\n1,\"a, \"\"b\"\"\nc\",3\r\n2,it's 5\" wide,\n\n3,\"\",\xc3\xa9";
  const Read r = read_text("a.csv", text);
  CHECK(r.columns == std::vector<std::string>{"id", "say", "n"});
  CHECK(r.rows ==
        Rows{{"1", "a, \"b\"\nc", "3"}, {"2", "it's 5\" wide", ""}, {"3", "", "\xc3\xa9"}});
  CHECK(r.problems.empty());
  CHECK(r.blank == 1);
  std::string without_blank = text;
  without_blank.erase(text.find("\n\n"), 1);
  CHECK(r.raw == without_blank);
}

TEST_CASE("malformed records are told with their line and reading goes on", "[records]") {
  SECTION("ragged rows") {
    const Read r = read_text("a.csv", "a,b\n1,2\n1,2,3\n1\n3,4\n");
    CHECK(r.rows == Rows{{"1", "2"}, {"3", "4"}});
    CHECK(r.problem_lines == std::vector<std::int64_t>{3, 4});
    CHECK(r.problems[0].expected == "2 fields");
    CHECK(r.problems[0].found == "3");
  }
  SECTION("an unterminated quote takes one line with it") {
    const Read r = read_text("a.csv", "a,b\n1,\"open\n3,4\n5,6\n");
    CHECK(r.rows == Rows{{"3", "4"}, {"5", "6"}});
    CHECK(r.problem_lines == std::vector<std::int64_t>{2});
    CHECK(r.problems[0].field == "b");
    CHECK(r.problems[0].expected == "a closing quote");
  }
  SECTION("text behind a closing quote") {
    const Read r = read_text("a.csv", "a,b\n\"1\"x,2\n3,4\n");
    CHECK(r.rows == Rows{{"3", "4"}});
    CHECK(r.problems[0].found == "'x'");
  }
  SECTION("NUL and bytes that are no UTF-8") {
    const Read r = read_text("a.csv", std::string("a,b\n1,\0\n2,\xff\n3,4\n", 16));
    CHECK(r.rows == Rows{{"3", "4"}});
    CHECK(r.problems[0].found == "NUL");
    CHECK(r.problems[1].found == "0xff");
    CHECK(r.problem_lines == std::vector<std::int64_t>{2, 3});
  }
  SECTION("records over the limit, at the end and before others") {
    RecordLimits limits;
    limits.max_record = 64;
    const Read r = read_text(
        "a.csv", "a\n" + std::string(3 << 20, 'x') + "\ny\n" + std::string(99, 'z'), limits);
    CHECK(r.rows == Rows{{"y"}});
    REQUIRE(r.problems.size() == 2);
    CHECK(r.problems[0].expected == "at most 64 bytes");
    CHECK(r.problem_lines == std::vector<std::int64_t>{2, 4});
  }
  SECTION("JSON: broken, no object, repeated names, too deep") {
    const Read r =
        read_text("a.jsonl", "{\"a\":1}\n{\"a\":}\n[1]\n7\n{\"a\":1,\"a\":2}\n{\"a\":" +
                                 std::string(100, '[') + std::string(100, ']') + "}\n{\"a\":2}\n");
    CHECK(r.rows == Rows{{"1"}, {"2"}});
    CHECK(r.problem_lines == std::vector<std::int64_t>{2, 3, 4, 5, 6});
    CHECK(r.problems[1].found == "an array");
    CHECK(r.problems[3].field == "a");
  }
}

TEST_CASE("JSON objects become flat texts", "[records]") {
  const Read r = read_text(
      "a.jsonl",
      "{\"a\":\"x\\u00e9\",\"b\":{\"c\":1.50,\"d\":null},\"e\":[1,{\"f\":\"g\"},[true]]}\n"
      "{\"z\":-3,\"a\":false}\n");
  CHECK(r.columns == std::vector<std::string>{"a", "b.c", "b.d", "e", "z"});
  CHECK(r.rows == Rows{{"x\xc3\xa9", "1.50", "", "[1,{\"f\":\"g\"},[true]]", ""},
                       {"false", "", "", "", "-3"}});
}

TEST_CASE("TSV knows no quotes; Latin-1 is decoded, its bytes are kept", "[records]") {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "a.tsv";
  write_text(path, "a\tb\n\"x\ty\"\n\xe9\tz\n");
  TableDialect dialect = dialect_of_path(path);
  dialect.latin1 = true;
  const Read r = read(path, dialect);
  CHECK(r.rows == Rows{{"\"x", "y\""}, {"\xc3\xa9", "z"}});
  CHECK(r.raw == "a\tb\n\"x\ty\"\n\xe9\tz\n");
}

TEST_CASE("gzip is read in pieces, several members, and its damage is an error", "[records]") {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "a.csv.gz";
  std::string text = "a,b\n";
  for (int i = 0; i < 50000; ++i) text += std::to_string(i) + "," + std::to_string(7 * i) + "\n";
  const std::string packed = gzip(text.substr(0, 1000)) + gzip(text.substr(1000));
  write_text(path, packed);
  const Read r = read(path, dialect_of_path(path));
  CHECK(r.rows.size() == 50000);
  CHECK(r.raw == text);
  write_text(path, packed.substr(0, packed.size() - 9));
  CHECK_THROWS_WITH(read(path, dialect_of_path(path)), Catch::Contains("gzip"));
  write_text(path, packed + "x");
  CHECK_THROWS_WITH(read(path, dialect_of_path(path)), Catch::Contains("expected no more bytes"));
}

TEST_CASE("files that cannot be a table are refused", "[records]") {
  CHECK_THROWS_WITH(read_text("a.csv", "a,b,a\n1,2,3\n"), Catch::Contains("a second time"));
  CHECK_THROWS_WITH(read_text("a.csv", ""), Catch::Contains("expected a header"));
  CHECK_THROWS_WITH(read_text("a.csv",
                              "\xff\xfe"
                              "a\n"),
                    Catch::Contains("UTF-16"));
  CHECK_THROWS_WITH(read_text("a.csv", "\"a\n"), Catch::Contains("closing quote"));
  CHECK_THROWS_WITH(read_text("a.jsonl", "[]\n"), Catch::Contains("expected JSON objects"));
  CHECK_THROWS_WITH(dialect_of_path("a.xml"), Catch::Contains("expected a name ending in"));
  CHECK_THROWS_AS(RecordReader("/nowhere/a.csv", {}), Error);
}

TEST_CASE("any cut of a file is read without loss", "[records]") {
  const std::string text = "a,b\r\n\"x\"\"y\",1\n\"two\nlines\",2\nplain,\"3\"\r\n";
  const TemporaryDirectory directory;
  const auto path = directory.path() / "a.csv";
  for (std::size_t size = 5; size <= text.size(); ++size) {
    write_text(path, text.substr(0, size));
    const Read r = read(path, dialect_of_path(path));
    CHECK(r.raw == text.substr(0, size));
  }
}
