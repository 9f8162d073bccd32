#include "distill/refine/table_rules.h"

#include <catch2/catch.hpp>

#include "distill/refine/dependency.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

using Rows = std::vector<std::vector<std::string_view>>;

struct Judged {
  std::vector<RuleCheck> checks;
  std::vector<CellIssue> issues;
  std::string states(std::size_t check) const {
    std::string text;
    for (const RuleState state : checks.at(check).state) text += "-+x"[static_cast<int>(state)];
    return text;
  }
};

Judged judge(const std::string& rules, const std::vector<std::string>& columns, const Rows& rows,
             const std::filesystem::path& folder = {}) {
  TableRules table(data::parse_schema(rules, "rules.toml"), columns, folder);
  for (const auto& row : rows) table.add(row);
  Judged judged;
  judged.checks = table.finish(judged.issues);
  return judged;
}

}  // namespace

TEST_CASE("expressions see numbers, times and lengths; absent values do not apply", "[rules]") {
  const auto j = judge(R"(
[columns.from]
type = "timestamp"
[columns.to]
type = "timestamp"
[[rules]]
expression = "to >= from && price_in_EUR < 10"
[[rules]]
expression = "len_name <= 3"
)",
                       {"from", "to", "price in EUR", "name"},
                       {{"2024-01-01", "2024-01-02", "5", "abc"},
                        {"2024-01-02", "2024-01-01", "5", "\xc3\xa9\xc3\xa9\xc3\xa9"},
                        {"2024-01-01", "", "5", "abcd"}});
  CHECK(j.states(0) == "+x-");
  CHECK(j.states(1) == "++x");
  CHECK(j.checks[0].broken == 1);
}

TEST_CASE("patterns, ranges, sets, keys", "[rules]") {
  const TemporaryDirectory directory;
  write_text(directory.path() / "states.csv", "code,name\nCA,California\nNY,New York\n");
  const auto j = judge(R"(
[[rules]]
kind = "regex"
column = "state"
pattern = "[A-Z]{2}"
[[rules]]
kind = "range"
column = "n"
min = 1
max = 9
[[rules]]
kind = "values"
column = "color"
values = ["green", "yellow"]
[[rules]]
kind = "unique"
column = "id"
[[rules]]
kind = "foreign_key"
column = "state"
file = "states.csv"
key = "code"
)",
                       {"id", "state", "n", "color"},
                       {{"1", "CA", "1", "green"},
                        {"2", "ca", "10", "gren"},
                        {"1", "TX", "many", "pink"},
                        {"", "N/A", "", ""}},
                       directory.path());
  CHECK(j.states(0) == "+x+-");
  CHECK(j.states(1) == "+xx-");
  CHECK(j.states(2) == "+xx-");
  CHECK(j.states(3) == "++x-");
  CHECK(j.states(4) == "+xx-");
  std::vector<std::string> suggestions;
  for (const CellIssue& issue : j.issues) {
    if (issue.suggestion) suggestions.push_back(*issue.suggestion);
  }
  CHECK(suggestions == std::vector<std::string>{"green"});
}

TEST_CASE("a functional dependency is decided by majority and repaired", "[rules]") {
  const auto j = judge(R"(
[[rules]]
kind = "functional_dependency"
determinant = "zip"
dependent = ["city", "state"]
)",
                       {"zip", "city", "state"},
                       {{"1", "Bend", "OR"},
                        {"1", "Bend", ""},
                        {"1", "Bnd", "OR"},
                        {"2", "Gary", "IN"},
                        {"", "Nowhere", "IN"}});
  CHECK(j.states(0) == "++x+-");
  CHECK(j.states(1) == "+-++-");
  REQUIRE(j.issues.size() == 2);
  CHECK(j.issues[0].row == 2);
  CHECK(j.issues[0].suggestion == "Bend");
  CHECK(j.issues[1].fault == CellFault::absent);
  CHECK(j.issues[1].suggestion == "OR");
}

TEST_CASE("sources that copy each other's mistakes do not outvote independent ones", "[rules]") {
  // Sources 4, 5 and 6 tell the same wrong value in each of 12 fields. Four independent sources
  // outvote them in the first eight; in the last four only two of these speak.
  std::vector<std::int32_t> group, source;
  std::vector<std::vector<std::int32_t>> value(1);
  for (std::int32_t g = 0; g < 12; ++g) {
    for (std::int32_t s = 0; s < 7; ++s) {
      if (g >= 8 && (s == 2 || s == 3)) continue;
      group.push_back(g);
      source.push_back(s);
      value[0].push_back(2 * g + (s >= 4));
    }
  }
  const auto plain = vote_on_dependency(group, 12, value, {});
  const auto trusted = vote_on_dependency(group, 12, value, source);
  CHECK(plain.winner[0].front() == 0);
  CHECK(plain.winner[0].back() == 23);
  CHECK(trusted.winner[0].front() == 0);
  CHECK(trusted.winner[0].back() == 22);
}

TEST_CASE("rules that cannot be are refused with the reason", "[rules]") {
  const std::vector<std::string> columns{"a"};
  CHECK_THROWS_WITH(judge("[[rules]]\nexpression = 'b > 1'", columns, {}), Catch::Contains("b"));
  CHECK_THROWS_WITH(judge("[[rules]]\nexpression = 'a >'", columns, {}),
                    Catch::Contains("position"));
  CHECK_THROWS_WITH(judge("[[rules]]\nkind='regex'\ncolumn='a'\npattern='('", columns, {}),
                    Catch::Contains("expected a pattern of RE2"));
  CHECK_THROWS_WITH(judge("[[rules]]\nkind='unique'\ncolumn='x'", columns, {}),
                    Catch::Contains("found 'x'"));
}

TEST_CASE("what was meant: numbers in front, the nearest value", "[rules]") {
  CHECK(leading_number("12.0 oz.") == "12");
  CHECK(leading_number("0.055999999999999994%") == "0.056");
  CHECK_FALSE(leading_number("2024-01-01"));
  CHECK_FALSE(leading_number("oz 12"));
  CHECK(nearest_value("gren", {"green", "yellow"}) == "green");
  CHECK_FALSE(nearest_value("xx", {"green", "yellow"}));
}
