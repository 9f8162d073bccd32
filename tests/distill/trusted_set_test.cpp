// Verified records beside a table, and a teacher that learned elsewhere.
#include "distill/refine/trusted_set.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "distill/refine/feature_values.h"
#include "distill/refine/label_weighing.h"
#include "distill/refine/table_refine.h"
#include "tensor/base/error.h"
#include "tensor/io/npy.h"
#include "tensor/random.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;
using Catch::Contains;

namespace {

constexpr int kRecords = 240;

// Two topics whose words are told apart by their first letter; a record is "t3 x b7 ..." with two
// words of its topic among four common ones.
std::string sentence(Generator& random, int topic) {
  std::string text;
  for (int k = 0; k < 6; ++k) {
    text += text.empty() ? "" : " ";
    const char first = k % 3 == 0 ? "st"[topic] : "xyzuvw"[random.next_below(6)];
    text += std::string(1, first) + "word" + std::to_string(random.next_below(15));
  }
  return text;
}

struct Pool {
  TemporaryDirectory directory;
  std::vector<std::string> text;
  std::vector<int> topic, label;

  explicit Pool(double flips, bool telling = true) {
    Generator random(9);
    std::string csv = "id,text,label\n";
    for (int i = 0; i < kRecords; ++i) {
      topic.push_back(i % 2);
      label.push_back(random.next_uniform() < flips ? 1 - i % 2 : i % 2);
      text.push_back(sentence(random, telling ? topic[i] : static_cast<int>(random.next_below(2))));
      csv += "r" + std::to_string(i) + "," + text[i] + "," + name(label[i]) + "\n";
    }
    write_text(file("pool.csv"), csv);
  }
  static std::string name(int label) { return label == 0 ? "sport" : "trade"; }
  std::filesystem::path file(const std::string& name) const { return directory.path() / name; }
  TableRefineOptions options() const {
    TableRefineOptions o;
    o.input.files = {file("pool.csv")};
    o.input.schema = data::infer_schema(file("pool.csv"), {});
    o.out = file("out");
    return o;
  }
  int right(const TableRefineResult& r) const {
    int count = 0;
    for (int i = 0; i < kRecords; ++i) {
      count += (r.features.row[i][3] > .5) == (label[i] == topic[i]);
    }
    return count;
  }
};

TableRefineResult refined(const TableRefineOptions& options) {
  NoProgress quiet;
  return refine_table(options, quiet);
}

}  // namespace

TEST_CASE("verified records teach, settle what the table says, too, and are no part of it",
          "[trusted_set]") {
  const Pool pool(.3);
  const TableRefineResult alone = refined(pool.options());
  // Others of the same kind, and a wrongly labelled record of the table with its true label.
  Generator random(77);
  std::string csv = "label,text\n";
  for (int i = 0; i < 200; ++i) csv += Pool::name(i % 2) + "," + sentence(random, i % 2) + "\n";
  int wrong = 0;
  while (pool.label[wrong] == pool.topic[wrong]) ++wrong;
  csv += Pool::name(pool.topic[wrong]) + "," + pool.text[wrong] + "\n";
  write_text(pool.file("trusted.csv"), csv);
  TableRefineOptions options = pool.options();
  options.features.trusted.records = pool.file("trusted.csv");
  const TableRefineResult taught = refined(options);
  CHECK(taught.records.size() == kRecords);
  CHECK(taught.features.row.size() == std::size_t{kRecords});
  CHECK(taught.features.labels->posterior.rows == kRecords);
  CHECK(taught.features.confidence.size() == std::size_t{kRecords});
  CHECK(taught.features.row[wrong][3] == 0);
  CHECK(taught.selection.keep[wrong] == 0);
  INFO("right labels of " << kRecords << ": " << pool.right(alone) << ", " << pool.right(taught));
  CHECK(pool.right(taught) >= pool.right(alone) + 10);
  CHECK(pool.right(taught) >= .9 * kRecords);
  const auto summary = nlohmann::json::parse(taught.summary);
  CHECK(summary.at("total") == kRecords);
  CHECK(summary.at("trusted_records") == 201);
  CHECK(summary.at("trusted_overlap") == 1);
  CHECK(summary.dump().find("201 verified records") != std::string::npos);
  CHECK(summary.dump().find("first: row " + std::to_string(wrong)) != std::string::npos);
  CHECK(read_text(pool.file("out") / "report.html").find("201 verified") != std::string::npos);
}

TEST_CASE("a verified record has its class for sure, whatever models say", "[trusted_set]") {
  LabelTask task;
  task.judged = 3;
  task.classes = 2;
  task.label = {0, 1, 0, 1};
  task.truth = {-1, 0, -1, 1};  // the last one stands beside the table
  task.time.assign(4, kNotApplicable);
  task.group = {0, 1, 2, 3};
  task.sound.assign(4, 1);
  const LabelWeighing weighing(task);
  const ProbabilityTable p{4, 2, {.7, .3, .2, .8, .6, .4, .5, .5}};
  const Weighed w = weighing.weigh(p, 1);
  CHECK(w.posterior.row(1)[0] == 1);
  CHECK(w.posterior.row(3)[1] == 1);
  CHECK(w.posterior.row(0)[0] < 1);
  CHECK(std::isfinite(w.likelihood));
  // One that the models were not asked about says nothing.
  ProbabilityTable unknown = p;
  unknown.values[2] = unknown.values[3] = kNotApplicable;
  CHECK_FALSE(weighing.weigh(unknown, 1).posterior.known(1));
  CHECK(product_of(p, unknown, 1).row(1)[0] == .2);
  CHECK(product_of(unknown, p, 1).row(1)[0] == .2);
}

TEST_CASE("answers that are brought along are weighed with what the words say", "[trusted_set]") {
  const Pool pool(.2);
  constexpr int kAnswers = 4;
  int said = 0, right = 0;
  for (int seed = 0; seed < kAnswers; ++seed) {
    // Right for three records of four, all as sure; of the first 20 nothing is said.
    Generator random(5 + seed);
    std::vector<float> p;
    for (int i = 0; i < kRecords; ++i) {
      const int says = random.next_uniform() < .75 ? pool.topic[i] : 1 - pool.topic[i];
      const float first = says == pool.label[0] ? .6f : .4f;
      for (const float x : {first, 1 - first}) {
        p.push_back(i < 20 ? std::numeric_limits<float>::quiet_NaN() : x);
      }
      said += i >= 20 && says == pool.topic[i];
    }
    TableRefineOptions options = pool.options();
    options.features.probabilities = pool.file("p.npy");
    save_npy(options.features.probabilities, from_values(p, {kRecords, 2}));
    const TableRefineResult result = refined(options);
    for (int i = 20; i < kRecords; ++i) {
      right += (result.features.row[i][3] > .5) == (pool.label[i] == pool.topic[i]);
    }
    CHECK_FALSE(is_applicable(result.features.row[3][3]));
    CHECK(is_applicable(result.features.row[3][10]));  // learning from the words was watched
  }
  INFO("right verdicts on labels: " << right << ", the answers alone " << said);
  CHECK(right >= said + 12 * kAnswers);
}

TEST_CASE("a trusted file that does not fit is refused with what is expected", "[trusted_set]") {
  const Pool pool(.1);
  TableRefineOptions options = pool.options();
  const auto refuses = [&](const std::string& csv, const std::string& message, ErrorKind kind) {
    write_text(pool.file("trusted.csv"), csv);
    options.features.trusted.records = pool.file("trusted.csv");
    try {
      refined(options);
      FAIL("expected an error: " << message);
    } catch (const Error& error) {
      CHECK_THAT(error.what(), Contains(message));
      CHECK(error.kind() == kind);
    }
  };
  const auto bad = ErrorKind::bad_input;
  refuses("text,class\na b,sport\n", "expected the table's columns text, label", bad);
  refuses("text,label\na b,sport\nc d,weather\n",
          "record 2: expected a label that the table has, found 'weather'", bad);
  refuses("text,label\na b,sport\nc d,\n", "record 2: expected a value of 'label', found none",
          bad);
  refuses("text,label\n,sport\n", "record 1: expected a value of 'text', found none", bad);
  refuses("text,label\na b,sport\nc,d,e\n", "line 3", bad);
  refuses("text,label\na b,sport\nc d,trade\na b,trade\n",
          "records 1 and 3 say the same: expected one label, found 'sport' and 'trade'", bad);
  refuses("text,label\n", "expected at least one record", bad);
  save_npy(pool.file("t.npy"), ones({1, 3}));
  options.features.trusted.embeddings = pool.file("t.npy");
  refuses("text,label\na b,sport\n", "expected --embeddings as well", ErrorKind::usage);
  options.features.trusted.embeddings.clear();
  save_npy(pool.file("e.npy"), ones({kRecords, 4}));
  options.features.embeddings = {pool.file("e.npy")};
  refuses("text,label\na b,sport\n", "expected --trusted-embeddings as well", ErrorKind::usage);
  options.features.trusted.embeddings = pool.file("t.npy");
  refuses("text,label\na b,sport\n", "expected 4 numbers a record as in --embeddings, found 3",
          bad);
  save_npy(pool.file("t.npy"), ones({2, 4}));
  refuses("text,label\na b,sport\n", "expected an array [1, width]", bad);
  options = pool.options();
  options.input.schema.label.clear();
  refuses("text,label\na b,sport\n", "expected a table with a label column", ErrorKind::usage);
}

TEST_CASE("verified rows of a table without text need its columns where they stand",
          "[trusted_set]") {
  const TemporaryDirectory directory;
  const auto file = [&](const char* name) { return directory.path() / name; };
  std::string csv = "width,colour,label\n";
  for (int i = 0; i < 120; ++i) {
    csv += std::to_string(i % 7) + (i % 2 ? ",red,a\n" : ",blue,b\n");
  }
  write_text(file("pool.csv"), csv);
  TableRefineOptions options;
  options.input.files = {file("pool.csv")};
  options.input.schema = data::infer_schema(file("pool.csv"), {});
  options.input.schema.text.clear();
  options.out = file("out");
  options.features.trusted.records = file("trusted.csv");
  write_text(file("trusted.csv"), "colour,width,label\nred,3,a\n");
  CHECK_THROWS_WITH(refined(options), Contains("width, colour, label at its places"));
  write_text(file("trusted.csv"), "width,colour,label\n3,red,a\n9,blue,b\n");
  CHECK(nlohmann::json::parse(refined(options).summary).at("trusted_records") == 2);
}

TEST_CASE("a teacher that learned elsewhere finds labels that the words do not tell",
          "[trusted_set]") {
  const Pool pool(.3, false);
  TableRefineOptions options = pool.options();
  options.features.teacher = pool.file("teacher.npy");
  const auto teach = [&](double right) {
    Generator random(3);
    std::vector<float> p;
    for (int i = 0; i < kRecords; ++i) {
      const int says = random.next_uniform() < right ? pool.topic[i] : 1 - pool.topic[i];
      const int first = pool.label[0];  // classes stand in the order of their first record
      p.push_back(says == first ? .9f : .1f);
      p.push_back(says == first ? .1f : .9f);
    }
    save_npy(options.features.teacher, from_values(p, {kRecords, 2}));
  };
  teach(.95);
  const TableRefineResult good = refined(options);
  CHECK(pool.right(good) >= .92 * kRecords);
  CHECK(is_applicable(good.features.row[0][11]));
  // Elsewhere's answers for the pool's own: the same noise matrices.
  TableRefineOptions brought = pool.options();
  brought.features.probabilities = options.features.teacher;
  CHECK(pool.right(refined(brought)) >= .92 * kRecords);
  // Records that the teacher says nothing of are judged all the same.
  Tensor some = load_npy(options.features.teacher);
  std::fill_n(some.data<float>(), 20, std::numeric_limits<float>::quiet_NaN());
  save_npy(options.features.teacher, some);
  const TableRefineResult partly = refined(options);
  CHECK(is_applicable(partly.features.row[0][3]));
  CHECK_FALSE(is_applicable(partly.features.row[0][11]));
  CHECK(pool.right(partly) >= .88 * kRecords);
  // Words that tell outweigh a teacher that guesses.
  const Pool telling(.1);
  options.input = telling.options().input;
  teach(.5);
  CHECK(telling.right(refined(options)) >= .9 * kRecords);
  save_npy(options.features.teacher, ones({kRecords, 3}));
  CHECK_THROWS_WITH(refined(options), Contains("teacher.npy: expected an array [240, 2]"));
  save_npy(options.features.teacher, ones({kRecords, 2}));
  CHECK_THROWS_WITH(refined(options), Contains("teacher.npy") && Contains("sum 1"));
}
