#include "distill/refine/table_refine.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "distill/refine/feature_values.h"
#include "tensor/base/error.h"
#include "tensor/io/npy.h"
#include "tensor/random.h"
#include "tests/distill/refined_tables.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

// Sentences of two topics, told apart by their words; `spoiled` of them carry the other label.
std::string topic_sentence(Generator& random, int topic) {
  static const char* words[2][12] = {{"ball", "goal", "team", "match", "coach", "score", "league",
                                      "player", "cup", "win", "field", "season"},
                                     {"bank", "stock", "price", "market", "share", "profit",
                                      "trade", "fund", "rate", "loan", "debt", "tax"}};
  static const char* common[8] = {"the", "a", "of", "and", "in", "was", "for", "with"};
  std::string text;
  for (int k = 0; k < 12; ++k) {
    text += text.empty() ? "" : " ";
    text += k % 2 ? words[topic][random.next_below(12)] : common[random.next_below(8)];
  }
  return text;
}

struct Pool {
  std::string csv = "id,text,label\n";
  std::vector<char> flipped;
};

Pool topic_pool(int records, double flips) {
  Pool pool;
  Generator random(5);
  for (int i = 0; i < records; ++i) {
    const int topic = i % 2;
    pool.flipped.push_back(random.next_uniform() < flips);
    pool.csv += "r" + std::to_string(i) + "," + topic_sentence(random, topic) + "," +
                (topic != pool.flipped.back() ? "money" : "sport") + "\n";
  }
  return pool;
}

}  // namespace

TEST_CASE("a table of texts is refined: wrong labels, copies and gaps go, the rest stays as it is",
          "[table_refine]") {
  const TemporaryDirectory directory;
  const auto input = directory.path() / "pool.csv";
  Pool pool = topic_pool(600, .1);
  const std::string copy = pool.csv.substr(pool.csv.find('\n') + 1);
  const std::string first = copy.substr(0, copy.find('\n') + 1);
  pool.csv += "copy" + first.substr(first.find(','));
  pool.csv += "near" + first.substr(first.find(','), first.rfind(',') - first.find(',')) + " x" +
              first.substr(first.rfind(','));
  pool.csv += "gap,,sport\nodd,1,2,3\nsymbols,?!$%&/()=?!$%&/()=,money\n";
  write_text(input, pool.csv);
  NoProgress quiet;
  const TableRefineOptions options = options_for(input, directory.path() / "out");
  const TableRefineResult result = refine_table(options, quiet);
  const TableSelection& s = result.selection;
  CHECK(result.records.size() == 604);
  REQUIRE(result.records.rejected.size() == 1);
  CHECK(result.records.rejected[0].line == 605);
  const auto reason = [&](std::int64_t row) { return s.reasons.text(s.reason[row]); };
  // One of the three copies stands for all.
  CHECK(int(s.keep[0]) + int(s.keep[600]) + int(s.keep[601]) == 1);
  CHECK(reason(602) == "missing:text");
  CHECK(reason(603) == "surface:empty");
  int found = 0, wrong = 0, flipped = 0;
  for (int i = 1; i < 600; ++i) {
    flipped += pool.flipped[i];
    found += pool.flipped[i] && !s.keep[i];
    wrong += !pool.flipped[i] && !s.keep[i];
  }
  CHECK(found >= .9 * flipped);
  CHECK(wrong <= .03 * 600);

  const auto out = directory.path() / "out";
  const std::string golden = read_text(out / "golden.csv");
  std::string expected = "id,text,label\n";
  std::istringstream lines(pool.csv);
  std::string line;
  std::getline(lines, line);
  for (int i = 0; i < 602; ++i) {
    std::getline(lines, line);
    if (s.keep[i]) expected += line + "\n";
  }
  CHECK(golden == expected);
  const auto summary = nlohmann::json::parse(read_text(out / "summary.json"));
  CHECK(summary.at("total") == 605);
  CHECK(summary.at("kept").get<int>() + summary.at("dropped").get<int>() +
            summary.at("rejected").get<int>() ==
        605);
  CHECK(summary.at("exact_duplicates") == 1);
  CHECK(summary.at("not_applicable").at("freshness") == 604);
  CHECK(summary.at("mean").at("freshness").is_null());
  CHECK(
      read_text(out / "scores.csv").starts_with("row,id,keep,reason,score,freshness,completeness"));
  CHECK(read_text(out / "rejected.csv.raw") == "odd,1,2,3\n");
  CHECK(read_text(out / "dropped.csv").find(",602,missing:text\n") != std::string::npos);
  CHECK(read_text(out / "report.html").find("Groups of copies") != std::string::npos);

  SECTION(
      "the same input gives the same scores, features can be left out, counts can be asked for") {
    TableRefineOptions again = options;
    again.features.off = {"label_trust", "stability", "learnability"};
    again.selection.budget = 100;
    again.out = directory.path() / "again";
    const TableRefineResult r = refine_table(again, quiet);
    CHECK(r.selection.kept == 100);
    CHECK_FALSE(is_applicable(r.features.row[0][3]));
    int sport = 0;
    for (int i = 0; i < 604; ++i) {
      sport += r.selection.keep[i] && r.records.label_names.text(r.records.label[i]) == "sport";
    }
    CHECK(std::abs(sport - 50) <= 5);
    again.features.off.clear();
    again.selection.budget.reset();
    refine_table(again, quiet);
    CHECK(read_text(again.out / "scores.csv") == read_text(out / "scores.csv"));
    again.features.off = {"labels"};
    CHECK_THROWS_WITH(refine_table(again, quiet), Catch::Contains("found 'labels'"));
  }
  SECTION("strict reading is an error with line and reason") {
    TableRefineOptions strict = options;
    strict.input.strict = true;
    CHECK_THROWS_WITH(refine_table(strict, quiet),
                      Catch::Contains("line 605, record: expected 3 fields, found 4"));
  }
}

TEST_CASE("a near copy in the same words goes, one in other words is left to the score",
          "[table_refine]") {
  const TemporaryDirectory directory;
  const auto input = directory.path() / "pool.csv";
  Pool pool = topic_pool(400, 0);
  const std::string text = "the ball of goal in team was match and coach for score with league";
  const std::string phrase = "goal in team was match and coach for score with league";
  // Copies: one repeats the first word, one is the same.
  pool.csv += "whole," + text + ",sport\nsame,the " + text + ",sport\nphrase," + phrase +
              ",sport\nagain," + phrase + ",sport\n";
  write_text(input, pool.csv);
  NoProgress quiet;
  TableRefineOptions options = options_for(input, directory.path() / "out");
  options.features.near_duplicate = .7;
  const auto reasons = [&] {
    const TableRefineResult r = refine_table(options, quiet);
    REQUIRE(r.features.groups.group[402] == 400);
    std::vector<std::string> last;
    for (int i = 400; i < 404; ++i) {
      last.push_back(r.selection.reasons.text(r.selection.reason[i]));
    }
    return last;
  };
  const std::vector<std::string> by_default = reasons();
  CHECK(by_default[0].empty());
  CHECK(by_default[1] == "near_duplicate");
  CHECK(by_default[2] == "score:uniqueness");
  CHECK(by_default[3] == "near_duplicate");
  options.selection.retention = 1;
  CHECK(reasons() == std::vector<std::string>{"", "near_duplicate", "", "near_duplicate"});
}

TEST_CASE("a wrong label does not win because it was copied twice", "[table_refine]") {
  const TemporaryDirectory directory;
  const auto input = directory.path() / "pool.csv";
  Pool pool = topic_pool(600, .1);
  const auto at = std::find(pool.flipped.begin(), pool.flipped.end(), 0) - pool.flipped.begin();
  const std::string id = "r" + std::to_string(at) + ",";
  const std::size_t begin = pool.csv.find("\n" + id) + 1;
  const std::string line = pool.csv.substr(begin, pool.csv.find('\n', begin) - begin);
  const std::string text = line.substr(id.size(), line.rfind(',') - id.size());
  const std::string wrong = line.ends_with("sport") ? "money" : "sport";
  pool.csv += "w1," + text + "," + wrong + "\nw2," + text + "," + wrong + "\n";
  write_text(input, pool.csv);
  NoProgress quiet;
  const auto options = options_for(input, directory.path() / "out");
  const TableRefineResult result = refine_table(options, quiet);
  CHECK(result.selection.keep[at] == 1);
  CHECK(result.selection.keep[600] + result.selection.keep[601] == 0);
  constexpr std::size_t kRules = 2, kLabelTrust = 3;
  CHECK(result.features.row[at][kRules] == 1);
  CHECK(result.features.row[600][kRules] == 0);
  // One class for all three: what the one gains the others lose.
  CHECK(result.features.row[at][kLabelTrust] + result.features.row[600][kLabelTrust] ==
        Approx(1).margin(1e-9));
  // Nothing but their number speaks without a model.
  TableRefineOptions plain = options;
  plain.features.off = {"label_trust", "learnability", "stability"};
  CHECK(refine_table(plain, quiet).features.row[at][kRules] == 0);
}

TEST_CASE("embeddings judge labels where words say nothing", "[table_refine]") {
  const TemporaryDirectory directory;
  Generator random(6);
  std::string csv = "text,label\n";
  Tensor vectors = empty({300, 4});
  std::vector<char> flipped;
  for (int i = 0; i < 300; ++i) {
    const int topic = i % 2;
    flipped.push_back(random.next_uniform() < .1);
    csv += topic_sentence(random, static_cast<int>(random.next_below(2))) +
           (topic != flipped.back() ? ",b\n" : ",a\n");
    for (int d = 0; d < 4; ++d) {
      vectors.data<float>()[i * 4 + d] =
          static_cast<float>((d == topic ? 1 : 0) + .2 * random.next_uniform());
    }
  }
  write_text(directory.path() / "pool.csv", csv);
  save_npy(directory.path() / "vectors.npy", vectors);
  TableRefineOptions options = options_for(directory.path() / "pool.csv", directory.path() / "out");
  options.features.embeddings = {directory.path() / "vectors.npy"};
  NoProgress quiet;
  const TableRefineResult result = refine_table(options, quiet);
  int found = 0, wrong = 0, all = 0;
  for (int i = 0; i < 300; ++i) {
    const bool dropped = !result.selection.keep[i];
    all += flipped[i];
    found += flipped[i] && dropped;
    wrong += !flipped[i] && dropped;
  }
  CHECK(found >= .9 * all);
  CHECK(wrong <= 9);
  save_npy(directory.path() / "vectors.npy", empty({299, 4}));
  CHECK_THROWS_WITH(refine_table(options, quiet), Catch::Contains("one row for each record"));
}

TEST_CASE("one class, or few records of one, is told and not judged", "[table_refine]") {
  const TemporaryDirectory directory;
  const auto input = directory.path() / "pool.csv";
  write_text(input, topic_pool(80, 0).csv);
  NoProgress quiet;
  const auto result = refine_table(options_for(input, directory.path() / "out"), quiet);
  CHECK_FALSE(is_applicable(result.features.row[0][3]));
  CHECK(std::any_of(result.features.notes.begin(), result.features.notes.end(), [](const auto& n) {
    return n.find("at least 50 records of each class") != std::string::npos;
  }));
}

TEST_CASE("an empty table is refused", "[table_refine]") {
  const TemporaryDirectory directory;
  const auto input = directory.path() / "a.csv";
  write_text(input, "a,b\n");
  NoProgress quiet;
  CHECK_THROWS_WITH(refine_table(options_for(input, directory.path() / "out"), quiet),
                    Catch::Contains("expected at least one record"));
}
