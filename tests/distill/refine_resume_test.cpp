// What a refinement that was killed leaves behind, and what the next one makes of it.
#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include "data/idx.h"
#include "distill/pipeline/image_refine.h"
#include "distill/refine/table_refine.h"
#include "distill/refine/table_stages.h"
#include "tensor/base/parallel.h"
#include "tensor/random.h"
#include "tests/distill/bright_images.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

// Remembers messages; kills its process at the named state of a task.
class Watcher final : public ProgressSink {
 public:
  explicit Watcher(std::string deadly = "") : deadly_(std::move(deadly)) {}
  void begin(std::string_view task, std::int64_t, std::string_view) override { die_at(task); }
  void update(std::int64_t, std::string_view detail) override { die_at(detail); }
  void end(std::string_view) override {}
  void message(std::string_view text) override { said += std::string(text) + "\n"; }
  bool heard(const std::string& text) const { return said.find(text) != said.npos; }

  std::string said;

 private:
  void die_at(std::string_view state) const {
    if (!deadly_.empty() && state == deadly_) std::raise(SIGKILL);
  }
  std::string deadly_;
};

// Runs `work` in a process of its own, which must die of SIGKILL.
template <class Work>
void killed(Work work) {
  const pid_t child = fork();
  if (child == 0) {
    set_num_threads(1);  // other threads of the parent did not come along
    work();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGKILL);
}

// Name -> content of a directory's files; summary.json without the time taken, no report or log.
std::map<std::string, std::string> files_of(const std::filesystem::path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (name == "report.html" || name == "log.jsonl" || name == "tensorboard") continue;
    files[name] = entry.is_directory() ? "" : read_text(entry.path());
    if (name != "summary.json") continue;
    auto summary = nlohmann::json::parse(files[name]);
    summary.erase("seconds");
    summary.erase("records_per_second");
    files[name] = summary.dump();
  }
  return files;
}

// Words of two topics, a tenth of the labels wrong, names to link by.
std::string two_topics(int records) {
  static const char* words[2][8] = {
      {"ball", "goal", "team", "match", "coach", "score", "league", "cup"},
      {"bank", "stock", "price", "market", "share", "profit", "trade", "loan"}};
  Generator random(3);
  std::string csv = "id,name,text,label\n";
  for (int i = 0; i < records; ++i) {
    const int topic = i % 2;
    std::string text;
    for (int k = 0; k < 9; ++k) text += std::string(words[topic][random.next_below(8)]) + " ";
    csv += str("r", i, ",person ", i % 170, ",", text, "end,",
               (random.next_uniform() < .1) != (topic == 1) ? "money" : "sport", "\n");
  }
  return csv;
}

TableRefineOptions table_options(const std::filesystem::path& input,
                                 const std::filesystem::path& out) {
  TableRefineOptions o;
  o.input.files = {input};
  o.input.schema.id = "id";
  o.input.schema.label = "label";
  o.input.schema.text = {"text"};
  o.features.link.fields = {"name"};
  o.features.link.threshold = .95;
  o.similar = 2;
  o.out = out;
  o.least_stage_seconds = 0;
  return o;
}

}  // namespace

TEST_CASE("a refinement that is killed at any stage goes on there and writes the same bytes",
          "[refine_resume]") {
  const TemporaryDirectory dir;
  write_text(dir.path() / "pool.csv", two_topics(340));
  NoProgress quiet;
  refine_table(table_options(dir.path() / "pool.csv", dir.path() / "whole"), quiet);
  const auto whole = files_of(dir.path() / "whole");
  CHECK(whole.contains("links.csv"));
  CHECK_FALSE(whole.contains("unfinished"));
  struct Kill {
    const char* at;
    std::vector<std::string> kept, anew;
  };
  const Kill kills[] = {{"duplicates", {"links", "copies"}, {"likelihood", "neighbours"}},
                        {"neighbours", {"links", "copies", "likelihood", "neighbours"}, {"labels"}},
                        {"write", {"neighbours", "labels", "similar"}, {}}};
  for (const Kill& kill : kills) {
    const auto out = dir.path() / kill.at;
    const auto options = table_options(dir.path() / "pool.csv", out);
    killed([&] {
      Watcher deadly(kill.at);
      refine_table(options, deadly);
    });
    REQUIRE(std::filesystem::exists(out / "unfinished"));
    Watcher watcher;
    refine_table(options, watcher);
    for (const std::string& stage : kill.kept) CHECK(watcher.heard(stage + ": taken from"));
    for (const std::string& stage : kill.anew) CHECK_FALSE(watcher.heard(stage + ": taken from"));
    CHECK(files_of(out) == whole);
  }
}

TEST_CASE("stages of other settings or another input are not taken, and it is said why",
          "[refine_resume]") {
  const TemporaryDirectory dir;
  const auto input = dir.path() / "pool.csv", out = dir.path() / "out";
  write_text(input, two_topics(240));
  auto options = table_options(input, out);
  const auto kill = [&] {
    killed([&] {
      Watcher deadly("labels");
      refine_table(options, deadly);
    });
  };
  kill();
  options.features.seed = 1;
  options.features.off = {"novelty"};
  Watcher watcher;
  refine_table(options, watcher);
  CHECK(watcher.heard("starting afresh: --seed, --without changed"));
  CHECK_FALSE(watcher.heard("taken from"));
  kill();
  write_text(input, two_topics(242));
  Watcher second;
  refine_table(options, second);
  CHECK(second.heard("starting afresh: the input changed"));
  // A kept file that is torn is computed anew, the others are taken.
  kill();
  write_text(out / "unfinished" / "links.safetensors", "torn");
  Watcher third;
  refine_table(options, third);
  CHECK(third.heard("links.safetensors"));
  CHECK(third.heard("computed anew"));
  CHECK_FALSE(third.heard("links: taken from"));
  CHECK(third.heard("labels: taken from"));
  // Cheap stages are not kept.
  options.least_stage_seconds = 1e6;
  kill();
  CHECK_FALSE(std::filesystem::exists(out / "unfinished"));
}

TEST_CASE("folds of images that were judged before a kill are not trained again",
          "[refine_resume]") {
  const TemporaryDirectory dir;
  const auto [images, labels] = bright_images(60);
  ImageRefineOptions o;
  o.parts = {{dir.path() / "images", dir.path() / "labels"}};
  data::save_idx(dir.path() / "images", images);
  data::save_idx(dir.path() / "labels", labels);
  o.trust.folds = 3;
  o.trust.epochs = 1;
  o.trust.batch = 16;
  o.least_stage_seconds = 0;
  NoProgress quiet;
  o.out = dir.path() / "whole";
  refine_images(o, quiet);
  const auto whole = files_of(o.out);
  o.out = dir.path() / "out";
  killed([&] {
    Watcher deadly("proxy:2:1");
    refine_images(o, deadly);
  });
  Watcher watcher;
  refine_images(o, watcher);
  CHECK(watcher.heard("proxy-1-1: taken from"));
  CHECK(watcher.heard("proxy-1-3: taken from"));
  CHECK_FALSE(watcher.heard("proxy-2-1: taken from"));
  CHECK(files_of(o.out) == whole);
}

TEST_CASE("what is packed comes back to the last bit", "[refine_resume]") {
  LabelEvidence e;
  e.p = {2, 2, {.1, .9, std::nan(""), std::nan("")}};
  e.posterior = {2, 2, {1. / 3, 2. / 3, .5, .5}};
  e.joint = true;
  e.training = {{0, 0, {}}, {3, 4}, 29, {.5f, .25f}, {.125f, 0}, .75};
  const LabelEvidence back = unpack_labels(pack_labels(e));
  CHECK(std::memcmp(back.p.values.data(), e.p.values.data(), 4 * sizeof(double)) == 0);
  CHECK(back.posterior.values == e.posterior.values);
  CHECK(back.joint);
  CHECK(back.training.p.rows == 0);
  CHECK(back.training.forgetting == e.training.forgetting);
  CHECK(back.training.presentations == 29);
  CHECK(back.training.confidence == e.training.confidence);
  CHECK(back.training.variability == e.training.variability);
  CHECK(back.training.accuracy == .75);
  const NeighbourFeatures f =
      unpack_neighbours(pack_neighbours({{.5}, {.25}, {3}, 4, "approximate"}));
  CHECK((f.novelty[0] == .5 && f.typicality[0] == .25 && f.cluster[0] == 3 && f.clusters == 4));
  CHECK(f.note == "approximate");
  CHECK_THROWS_AS(unpack_links({}), Error);
}
