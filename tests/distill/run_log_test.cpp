#include "distill/run/run_log.h"

#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <vector>

#include "tensor/base/error.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;
using Json = nlohmann::json;

namespace {

std::vector<Json> read_lines(const std::filesystem::path& dir) {
  std::vector<Json> out;
  std::istringstream in(read_text(dir / "log.jsonl"));
  for (std::string line; std::getline(in, line);) out.push_back(Json::parse(line));
  return out;
}

}  // namespace

TEST_CASE("every event becomes one line", "[run_log]") {
  const TemporaryDirectory dir;
  {
    RunLog log(dir.path() / "run");
    log.start({"0.1.0", "cpu", 2, 7});
    log.stage_begin("teacher");
    CHECK(log.stage_end("teacher") >= 0);
    StepEvent step;
    step.run = "student";
    step.step = 3;
    step.loss = 0.75;
    step.loss_terms = {{"kd", 0.5}, {"relation", 0.25}};
    step.mix = {0.7, 0.3, 0.0};
    log.step(step);
    log.epoch({"student", 1, 47, 0.7, 0.81, 0.8});
    log.alarm({"student", 9, true, "loss_variance", 3.0, 2.5});
    log.action({"student", 9, "teacher_every_step"});
    log.note("isa_fallback", "AVX-512 is absent");
  }
  const auto lines = read_lines(dir.path() / "run");
  REQUIRE(lines.size() == 8);
  CHECK(lines[0]["event"] == "start");
  CHECK(lines[0]["seed"] == 7);
  CHECK(lines[1]["state"] == "begin");
  CHECK(lines[2]["state"] == "end");
  CHECK(lines[2]["seconds"].is_number());
  CHECK(lines[3]["loss"] == 0.75);
  CHECK(lines[3]["loss_terms"] == Json{{"kd", 0.5}, {"relation", 0.25}});
  CHECK(lines[3]["mix"]["high_diversity"] == 0.7);
  CHECK(lines[3]["mix"]["hard"] == 0.0);
  CHECK(lines[4]["val_f1"] == 0.8);
  CHECK(lines[5]["state"] == "raised");
  CHECK(lines[5]["dominant"] == "loss_variance");
  CHECK(lines[6]["kind"] == "teacher_every_step");
  CHECK(lines[7]["code"] == "isa_fallback");
  for (const Json& line : lines) CHECK(line["t"].is_number());
}

TEST_CASE("values that are missing or not finite are null", "[run_log]") {
  const TemporaryDirectory dir;
  RunLog log(dir.path());
  StepEvent step;
  step.run = "teacher";
  step.loss = std::numeric_limits<double>::infinity();
  step.loss_terms = {{"ce", kMissing}};
  log.step(step);
  const auto lines = read_lines(dir.path());
  REQUIRE(lines.size() == 1);
  for (const char* key : {"loss", "lr", "grad_norm", "epsilon", "d", "lambda", "delta_l"}) {
    INFO(key);
    CHECK(lines[0][key].is_null());
  }
  CHECK(lines[0]["loss_terms"]["ce"].is_null());
  CHECK(lines[0]["mix"]["hard"].is_null());
  // Nothing finite: no event file either.
  CHECK_FALSE(std::filesystem::exists(dir.path() / "tensorboard"));
}

TEST_CASE("each arm gets its own TensorBoard folder", "[run_log]") {
  const TemporaryDirectory dir;
  RunLog log(dir.path());
  StepEvent step;
  step.loss = 1;
  for (const char* run : {"student", "baseline:vanilla_kd", "../up"}) {
    step.run = run;
    log.step(step);
  }
  CHECK(std::filesystem::is_directory(dir.path() / "tensorboard" / "student"));
  CHECK(std::filesystem::is_directory(dir.path() / "tensorboard" / "baseline_vanilla_kd"));
  CHECK(std::filesystem::is_directory(dir.path() / "tensorboard" / "_._up"));
}

TEST_CASE("a fresh log replaces an old one, a resumed log goes on after its whole lines",
          "[run_log]") {
  const TemporaryDirectory dir;
  { RunLog(dir.path()).note("a", "first"); }
  write_text(dir.path() / "log.jsonl", read_text(dir.path() / "log.jsonl") + "{\"event\":\"st");
  { RunLog(dir.path(), RunLog::Mode::resume).note("b", "second"); }
  auto lines = read_lines(dir.path());
  REQUIRE(lines.size() == 2);
  CHECK(lines[0]["code"] == "a");
  CHECK(lines[1]["code"] == "b");
  { RunLog(dir.path()).note("c", "third"); }
  lines = read_lines(dir.path());
  REQUIRE(lines.size() == 1);
  CHECK(lines[0]["code"] == "c");
}

TEST_CASE("text that is no UTF-8 does not break the log", "[run_log]") {
  const TemporaryDirectory dir;
  RunLog log(dir.path());
  log.note("name", "file \xff\n.csv");
  CHECK(read_lines(dir.path())[0]["message"] == "file \xEF\xBF\xBD\n.csv");
}

TEST_CASE("lines of several threads stay whole", "[run_log]") {
  const TemporaryDirectory dir;
  RunLog log(dir.path());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log, t] {
      for (int i = 0; i < 100; ++i) {
        StepEvent step;
        step.run = "arm" + std::to_string(t);
        step.step = i;
        step.loss = i;
        log.step(step);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(read_lines(dir.path()).size() == 400);
}

TEST_CASE("a stage that never began is refused", "[run_log]") {
  const TemporaryDirectory dir;
  RunLog log(dir.path());
  CHECK_THROWS_WITH(log.stage_end("student"), Catch::Contains("\"student\""));
}

TEST_CASE("a full disk is out_of_resources", "[run_log]") {
  if (!std::filesystem::exists("/dev/full")) return;
  const TemporaryDirectory dir;
  std::filesystem::create_symlink("/dev/full", dir.path() / "log.jsonl");
  RunLog log(dir.path());
  try {
    log.note("a", "b");
    FAIL("expected an error");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::out_of_resources);
    CHECK(std::string(e.what()).find("log.jsonl") != std::string::npos);
  }
}
