// The main job's INT8 student: what it is made of, and that nothing but its recipe decides its
// bytes.
#include <csignal>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include "distill/pipeline/distill.h"
#include "distill/pipeline/quantize_stage.h"
#include "nn/quantized_model.h"
#include "tensor/base/deterministic.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"
#include "tests/distill/corner_images.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;
namespace fs = std::filesystem;

namespace {

void write_images(const fs::path& directory) {
  Generator generator(11);
  write_corners(directory, "train", 700, generator);
  write_corners(directory, "t10k", 300, generator);
}

Recipe small_recipe(const fs::path& data, const std::string& student) {
  Recipe recipe;
  recipe.data.dir = data;
  recipe.pool.size = 200;
  recipe.pool.trusted = 20;
  recipe.pool.defects = {"flip", "duplicate", "stale", "noise"};
  recipe.teacher.model = "mlp";
  recipe.teacher.epochs = 4;
  recipe.train.epochs = 6;
  recipe.train.batch = 32;
  recipe.student.model = student;
  recipe.student.hidden = {16, 12};
  recipe.quantize.epochs = 2;
  recipe.quantize.records = 40;
  return recipe;
}

nlohmann::json run(const Recipe& recipe, const fs::path& out, ProgressSink* progress = nullptr) {
  DistillOptions options;
  options.out = out;
  options.progress = progress;
  return nlohmann::json::parse(run_distill(recipe, options));
}

std::string int8_bytes(const fs::path& out) { return read_text(out / kInt8File); }

// Kills its process when fine-tuning begins.
class Deadly final : public ProgressSink {
 public:
  void begin(std::string_view task, std::int64_t, std::string_view) override {
    if (task == kInt8Arm) std::raise(SIGKILL);
  }
  void update(std::int64_t, std::string_view) override {}
  void end(std::string_view) override {}
  void message(std::string_view) override {}
};

}  // namespace

TEST_CASE("the job's INT8 student: file, keys, and agreement with its rounded model") {
  const TemporaryDirectory directory;
  write_images(directory.path());
  for (const char* model : {"mlp", "cnn"}) {
    INFO(model);
    const fs::path out = directory.path() / model;
    const nlohmann::json s = run(small_recipe(directory.path(), model), out);
    const nlohmann::json& q = s.at("int8");
    INFO(q.dump(1));
    CHECK(q.at("mode") == "qat");
    CHECK(q.at("records") == 40);
    CHECK(q.at("agreement").get<double>() >= 0.999);
    CHECK(q.at("max_steps").get<double>() <= 1);
    CHECK(q.at("layers").size() == (std::string(model) == "mlp" ? 2 : 3));
    CHECK(q.at("accuracy").get<double>() >= s.at("student").at("accuracy").get<double>() - 0.03);
    CHECK(q.at("bytes") == fs::file_size(out / kInt8File));
    CHECK(q.at("bytes_f32") == fs::file_size(out / "student.safetensors"));
    CHECK(q.at("ptq").at("agreement_f32").get<double>() > 0.9);
    for (const char* key : {"teacher_ms", "student_f32_ms", "student_int8_ms", "batch"}) {
      CHECK(s.at("speed").at(key).get<double>() > 0);
    }
    // Rows of the table, and steps in the log.
    const auto steps = 2 * ((200 + 31) / 32);
    CHECK(s.at("table").at(s.at("table").size() - 2).at("name") == "student:int8");
    CHECK(s.at("table").at(s.at("table").size() - 2).at("steps") == steps);
    CHECK(s.at("table").back().at("name") == "student:int8_ptq");
    CHECK(s.at("confusion").contains("student:int8"));
    CHECK(read_text(out / "log.jsonl").find("\"run\":\"student:int8\"") != std::string::npos);
    CHECK(read_text(out / "report.html").find("<section id=\"int8\">") != std::string::npos);
    // The file reads back, and is what fine-tuning left, not what calibration did.
    const nn::QuantizedModel read = nn::load_quantized(out / kInt8File);
    CHECK(read.spec().model == model);
    nn::save_quantized(out / "again.safetensors", read);
    CHECK(read_text(out / "again.safetensors") == int8_bytes(out));
    Recipe ptq = small_recipe(directory.path(), model);
    ptq.quantize.mode = "ptq";
    const nlohmann::json untuned = run(ptq, directory.path() / "ptq");
    CHECK(untuned.at("int8").at("accuracy") == q.at("ptq").at("accuracy"));
    CHECK_FALSE(untuned.at("int8").contains("ptq"));
    CHECK(int8_bytes(directory.path() / "ptq") != int8_bytes(out));
    CHECK(read_text(directory.path() / "ptq" / "student.safetensors") ==
          read_text(out / "student.safetensors"));
  }
}

TEST_CASE("INT8 changes nothing before it, and an earlier run's file does not stay") {
  const TemporaryDirectory directory;
  write_images(directory.path());
  Recipe recipe = small_recipe(directory.path(), "mlp");
  const fs::path out = directory.path() / "run";
  const nlohmann::json with = run(recipe, out);
  const std::string student = read_text(out / "student.safetensors");
  recipe.quantize.enabled = false;
  const nlohmann::json without = run(recipe, out);
  CHECK_FALSE(fs::exists(out / kInt8File));
  CHECK_FALSE(without.contains("int8"));
  CHECK_FALSE(without.at("speed").contains("student_int8_ms"));
  CHECK(read_text(out / "student.safetensors") == student);
  for (const char* key : {"student", "baselines", "teacher", "refine", "control"}) {
    CHECK(with.at(key) == without.at(key));
  }
}

TEST_CASE("the same INT8 bytes after a kill, and at every number of threads") {
  const TemporaryDirectory directory;
  write_images(directory.path());
  const Recipe recipe = small_recipe(directory.path(), "cnn");
  const fs::path out = directory.path() / "killed";
  const int threads = num_threads();
  set_deterministic(true);
  const pid_t child = fork();
  if (child == 0) {
    set_num_threads(1);  // other threads of the parent did not come along
    Deadly deadly;
    run(recipe, out, &deadly);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(fs::exists(out / "student.safetensors"));
  CHECK_FALSE(fs::exists(out / kInt8File));
  set_num_threads(1);
  run(recipe, out);
  const std::string expected = int8_bytes(out);
  for (const int count : {1, 2, 4}) {
    INFO(count << " threads");
    set_num_threads(count);
    run(recipe, directory.path() / "again");
    CHECK(int8_bytes(directory.path() / "again") == expected);
  }
  set_num_threads(threads);
  set_deterministic(false);
}

TEST_CASE("a student that cannot be INT8 is refused before anything is read") {
  const TemporaryDirectory directory;
  Recipe recipe = small_recipe(directory.path() / "nowhere", "vit");
  try {
    run(recipe, directory.path() / "run");
    FAIL("expected an error");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK_THAT(error.what(), Catch::Contains("quantize.enabled: expected student.model mlp, cnn or "
                                             "resnetN") &&
                                 Catch::Contains("got vit; quantize.enabled=false leaves"));
  }
  CHECK_FALSE(fs::exists(directory.path() / "run"));
  recipe.quantize.enabled = false;
  CHECK_THROWS_WITH(run(recipe, directory.path() / "run"), Catch::Contains("nowhere"));
  CHECK_THROWS_WITH(check_quantizable("resnetX"), Catch::Contains("got resnetX"));
}
