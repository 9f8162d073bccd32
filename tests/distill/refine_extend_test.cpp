// Refining a table that has grown: what was said of its first records stays.
#include <algorithm>
#include <catch2/catch.hpp>

#include "distill/refine/earlier_run.h"
#include "distill/refine/table_refine.h"
#include "tensor/base/error.h"
#include "tensor/io/npy.h"
#include "tensor/random.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

constexpr const char* kHeader = "id,text,label\n";

std::string line(Generator& random, int number, int topic, const char* label) {
  static const char* words[2][10] = {
      {"ball", "goal", "team", "match", "coach", "score", "league", "cup", "season", "field"},
      {"bank", "stock", "price", "market", "share", "profit", "trade", "loan", "debt", "tax"}};
  std::string text;
  for (int k = 0; k < 9; ++k) text += std::string(words[topic][random.next_below(10)]) + " ";
  return str("r", number, ",", text, "end,", label, "\n");
}

// Lines of records [from, to) of one endless table, a tenth of whose labels are wrong.
struct Part {
  std::string lines;
  std::vector<char> flipped;
};
Part part(int from, int to) {
  Part out;
  Generator random(7);
  for (int i = 0; i < to; ++i) {
    const bool flip = random.next_uniform() < .1;
    const std::string text = line(random, i, i % 2, (i % 2 == 1) != flip ? "money" : "sport");
    if (i < from) continue;
    out.lines += text;
    out.flipped.push_back(flip);
  }
  return out;
}

struct Growth {
  Growth() {
    write_text(dir.path() / "old.csv", kHeader + part(0, 400).lines);
    options.input.files = {dir.path() / "old.csv"};
    options.input.schema.id = "id";
    options.input.schema.label = "label";
    options.input.schema.text = {"text"};
    options.out = dir.path() / "first";
  }
  TableRefineResult refine() {
    NoProgress quiet;
    return refine_table(options, quiet);
  }
  // From now on the table goes on with `lines`.
  void extend(const std::string& lines, const char* out = "second") {
    const auto file = dir.path() / str(out, ".csv");
    write_text(file, kHeader + lines);
    options.input.files.push_back(file);
    options.extend = options.out;
    options.out = dir.path() / out;
  }
  std::string output(const char* run, const char* name) const {
    return read_text(dir.path() / run / name);
  }

  TemporaryDirectory dir;
  TableRefineOptions options;
};

}  // namespace

TEST_CASE("a table that has grown is refined on: old verdicts stay, new records are judged",
          "[refine_extend]") {
  Growth g;
  g.refine();
  const std::string scores = g.output("first", "scores.csv"),
                    golden = g.output("first", "golden.csv"),
                    dropped = g.output("first", "dropped.csv");
  const Part fresh = part(400, 500);
  // A copy of the first record that was kept.
  const std::size_t begin = golden.find('\n') + 1;
  const std::string kept = golden.substr(begin, golden.find('\n', begin) + 1 - begin);
  g.extend(fresh.lines + kept + "gap,,sport\n");
  const TableRefineResult r = g.refine();
  REQUIRE(r.records.size() == 502);
  CHECK(g.output("second", "scores.csv").starts_with(scores));
  CHECK(g.output("second", "golden.csv").starts_with(golden));
  CHECK(g.output("second", "dropped.csv").starts_with(dropped));
  const auto reason = [&](std::int64_t row) {
    return r.selection.reasons.text(r.selection.reason[row]);
  };
  CHECK(reason(500) == "duplicate");
  CHECK(reason(501) == "missing:text");
  int right = 0;
  for (int i = 0; i < 100; ++i) right += r.selection.keep[400 + i] != fresh.flipped[i];
  CHECK(right >= 97);  // of 100 the verdict follows the label's truth
  // And once more, from the extension.
  const std::string second = g.output("second", "scores.csv");
  const Part third = part(500, 560);
  g.extend(third.lines, "third");
  const TableRefineResult again = g.refine();
  CHECK(g.output("third", "scores.csv").starts_with(second));
  right = 0;
  for (int i = 0; i < 60; ++i) right += again.selection.keep[502 + i] != third.flipped[i];
  CHECK(right >= 58);
}

TEST_CASE("rows added to the same file, with vectors, within a budget", "[refine_extend]") {
  Growth g;
  const auto vectors = [&](const char* name, int from, int to) {
    Tensor x = empty({to - from, 4}, DType::f32);
    Generator random(11);
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      x.data<float>()[i] =
          float(random.next_normal()) * .3f + ((from + i / 4) % 2 == i % 2 ? 1 : 0);
    }
    save_npy(g.dir.path() / name, x);
    return g.dir.path() / name;
  };
  g.options.features.embeddings = {vectors("old.npy", 0, 400)};
  const TableRefineResult first = g.refine();
  write_text(g.dir.path() / "old.csv", kHeader + part(0, 460).lines);
  g.options.extend = g.options.out;
  g.options.out = g.dir.path() / "second";
  g.options.features.embeddings.push_back(vectors("new.npy", 400, 460));
  g.options.selection.budget = 20;
  const TableRefineResult r = g.refine();
  CHECK(r.selection.kept == first.selection.kept + 20);
  CHECK(g.output("second", "scores.csv").starts_with(g.output("first", "scores.csv")));
  const Part fresh = part(400, 460);
  int wrong = 0;
  for (int i = 0; i < 60; ++i) wrong += r.selection.keep[400 + i] && fresh.flipped[i];
  CHECK(wrong == 0);
  g.options.features.embeddings = {g.dir.path() / "new.npy"};
  CHECK_THROWS_WITH(g.refine(), Catch::Contains("expected an array [460, width]"));
}

TEST_CASE("verified records teach an extension, and old verdicts stay", "[refine_extend]") {
  // The table's words hardly tell: a third of each record's are of the other topic's vocabulary.
  Growth g;
  const auto vague = [](int from, int to, std::vector<char>* flipped, bool right) {
    std::string lines;
    Generator random(right ? 21 : 22);
    for (int i = 0; i < to; ++i) {
      const int topic = i % 2;
      const bool flip = !right && random.next_uniform() < .35;
      std::string text;
      for (int k = 0; k < 6; ++k) {
        const int of = random.next_uniform() < .62 ? topic : 1 - topic;
        text += str("pq"[of], "word", random.next_below(25), " ");
      }
      if (i < from) continue;
      if (flipped != nullptr) flipped->push_back(flip);
      lines +=
          str(right ? "v" : "r", i, ",", text, ",", (topic == 1) != flip ? "money" : "sport", "\n");
    }
    return lines;
  };
  std::vector<char> flipped;
  const std::string fresh = vague(300, 700, &flipped, false);
  write_text(g.dir.path() / "old.csv", kHeader + vague(0, 300, nullptr, false));
  const auto file = g.dir.path() / "verified.csv";
  // Behind 300 others one says what a wrongly labelled new record says, one what the first old
  // record says, with a label that the old one has not.
  const auto wrong = std::find(flipped.begin(), flipped.end(), 1) - flipped.begin();
  const auto line_of = [](const std::string& lines, std::int64_t number) {
    std::size_t at = 0;
    for (; number > 0; --number) at = lines.find('\n', at) + 1;
    return lines.substr(at, lines.find('\n', at) + 1 - at);
  };
  const auto corrected = [](std::string line) {
    const std::size_t at = line.rfind(',') + 1;
    return line.substr(0, at) + (line[at] == 'm' ? "sport\n" : "money\n");
  };
  g.refine();
  const std::string old = vague(0, 1, nullptr, false);
  write_text(file, kHeader + vague(0, 300, nullptr, true) + corrected(line_of(fresh, wrong)) +
                       corrected(old));
  g.extend(fresh, "alone");
  const TableRefineResult alone = g.refine();
  g.options.out = g.dir.path() / "taught";
  g.options.features.trusted.records = file;
  const TableRefineResult taught = g.refine();
  CHECK(g.output("taught", "scores.csv").starts_with(g.output("first", "scores.csv")));
  const auto right = [&](const TableRefineResult& r) {
    int count = 0;
    for (int i = 0; i < 400; ++i) count += (r.features.row[300 + i][3] > .5) != flipped[i];
    return count;
  };
  INFO("right of 400: " << right(alone) << " alone, " << right(taught) << " taught");
  CHECK(right(taught) >= right(alone) + 20);
  CHECK(taught.features.row[300 + wrong][3] == 0);
  CHECK_FALSE(taught.selection.keep[300 + wrong]);
  CHECK(taught.features.labels->posterior.rows == 700);
  CHECK(taught.features.labels->answers.rows == 700);
  CHECK(taught.features.trusted_overlap == 2);
  CHECK_THAT(taught.summary, Catch::Contains("but for the verdicts of 1 that were judged before"));
  // What is known of the old record by now is kept for the next extension, though its verdict
  // stays.
  CHECK(taught.features.labels->posterior.row(0)[taught.records.label[0]] == 0);
  CHECK(taught.features.row[0][3] == alone.features.row[0][3]);
}

TEST_CASE("an extension refuses what it cannot go on from", "[refine_extend]") {
  Growth g;
  g.refine();
  const auto refused = [&](ErrorKind kind, const std::string& why) {
    try {
      g.refine();
      FAIL("nothing was refused");
    } catch (const Error& error) {
      CHECK(error.kind() == kind);
      CHECK_THAT(error.what(), Catch::Contains(why));
    }
  };
  g.options.extend = g.options.out;
  refused(ErrorKind::usage, "expected another directory than --out");
  g.options.out = g.dir.path() / "second";
  refused(ErrorKind::bad_input, "expected more than the 400 records");
  g.extend(part(400, 440).lines + "x,goal ball cup,sprot\n");
  g.options.extend = g.dir.path() / "first";
  refused(ErrorKind::bad_input, "found 'sprot'");
  write_text(g.options.input.files[1], kHeader + part(400, 440).lines);
  g.options.features.seed = 4;
  refused(ErrorKind::usage, "--seed is another");
  g.options.features.seed = 0;
  g.options.split.emplace();
  refused(ErrorKind::usage, "expected no --split");
  g.options.split.reset();
  std::swap(g.options.input.files[0], g.options.input.files[1]);
  refused(ErrorKind::bad_input, "in their order");
  std::swap(g.options.input.files[0], g.options.input.files[1]);
  g.options.extend = g.dir.path() / "none";
  refused(ErrorKind::bad_input, "state.safetensors");
  std::filesystem::create_directories(g.dir.path() / "torn");
  std::filesystem::copy(g.dir.path() / "first" / "state.safetensors", g.dir.path() / "torn");
  write_text(g.dir.path() / "torn" / "scores.csv", "row,keep\n0,1\n");
  g.options.extend = g.dir.path() / "torn";
  refused(ErrorKind::bad_input, "expected the header of scores.csv");
  write_text(g.dir.path() / "torn" / "scores.csv",
             scores_header() + "0,r0,1,,high,,,,,,,,,,,,,,,,\n");
  refused(ErrorKind::bad_input, "expected a number, found 'high'");
}
