#include "distill/report/report.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <string>

#include "distill/report/fields.h"
#include "distill/run/run_log.h"
#include "tensor/base/error.h"
#include "tests/distill/temporary_directory.h"
#include "tests/distill/well_formed.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

const char* kSummary = R"({
 "teacher": {"params": 421642, "accuracy": 0.9134, "f1": 0.9131},
 "baselines": {"student_alone": {"accuracy": 0.6574, "f1": 0.6471},
               "vanilla_kd": {"accuracy": 0.8432, "f1": 0.8401}},
 "student": {"params": 50890, "accuracy": 0.8541, "f1": 0.8524},
 "refine": {"effective_before": 0.38, "effective_after": 0.9718, "retention": 0.951, "kept": 2231,
            "total": 6000},
 "restructure": {"clusters": 17, "compression": 8, "fvu": 0.0213, "relation_auc": 0.943},
 "control": {"epsilon_final": 0.0131, "violations": 0.021},
 "int8": {"accuracy": 0.8551, "f1": 0.8533, "bytes": 52912, "bytes_f32": 204272, "mode": "qat",
          "agreement": 1, "agreement_f32": 0.99, "max_steps": 1,
          "layers": [{"name": "body.1", "max_steps": 1, "off_share": 0.0001}],
          "ptq": {"accuracy": 0.8511, "f1": 0.8493, "agreement_f32": 0.997}},
 "speed": {"batch": 256, "repeats": 15, "teacher_ms": 20, "student_f32_ms": 0.4,
           "student_int8_ms": 0.2},
 "seconds": {"total": 318.4, "teacher": 172.2}, "seed": 0, "version": "0.1.0",
 "classes": ["cat <1>", "dog & co"],
 "confusion": {"teacher": [[9, 1], [2, 8]], "student": [[8, 2], [3, 7]]},
 "table": [{"name": "teacher", "accuracy": 0.9134, "f1": 0.9131},
           {"name": "student", "accuracy": 0.8541, "f1": 0.8524, "steps": 2820, "seconds": 43.1}],
 "notes": ["No gain here: <control>"]
})";

void write_log(const std::filesystem::path& dir, double lambda_share) {
  RunLog log(dir);
  log.start({"0.1.0", "cpu", 2, 0});
  log.stage_begin("student");
  for (int i = 0; i < 1000; ++i) {
    StepEvent e;
    e.run = "student";
    e.step = i;
    e.epoch = i / 50.0;
    e.loss = std::exp(-i / 100.0);
    e.loss_terms = {{"kd", e.loss * 0.8}, {"relation", e.loss * 0.2}};
    e.lr = 1e-3;
    e.clip_rate = 0.02;
    e.temperature = i < 500 ? 5 : 1;
    e.epsilon = 0.01;
    e.d = 0.02;
    e.lambda = i < lambda_share * 1000 ? 1.0 : 0.0;
    e.mix = {0.7, 0.3, 0.0};
    e.delta_l = 0.5;
    log.step(e);
  }
  log.alarm({"student", 400, true, "loss_variance", 3, 2});
  log.alarm({"student", 450, false, "loss_variance", 0.5, 2});
  log.action({"student", 400, "teacher_every_step"});
  log.epoch({"student", 1, 50, 0.5, 0.8, 0.79});
  log.stage_end("student");
}

void write_run(const std::filesystem::path& dir, double lambda_share = 0.5) {
  write_text(dir / "summary.json", kSummary);
  write_log(dir, lambda_share);
  std::string scores = "row,id,keep,reason,score,freshness,rule_consistency,weight3\n";
  std::string manifest = "row,kinds,effective\n";
  for (int i = 0; i < 100; ++i) {
    const bool bad = i % 4 == 0;
    scores += str(i, ",\"r,", i, "\",", bad ? 0 : 1, ",", bad ? "label_distrust" : "", ",",
                  bad ? 0.1 : 0.9, ",", (i % 10) / 10.0, ",,0.5\n");
    manifest += str(i, ",", bad ? "flip;stale" : "", ",", bad ? 0 : 1, "\n");
  }
  write_text(dir / "refine/scores.csv", scores);
  write_text(dir / "refine/manifest.csv", manifest);
  write_text(
      dir / "restructure/graph.json",
      R"({"nodes":[{"x":0,"y":0,"cluster":0,"label":"cat"},{"x":1,"y":2,"cluster":0,"label":"cat"},
                {"x":3,"y":1,"cluster":-1,"label":"dog"}],"edges":[[0,1,0.9],[1,2,0.1]],
                "clusters":1,"noise":1})");
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The page without what is HTML but not XML.
std::string xml_part(const std::string& page) {
  const std::size_t begin = page.find("<main>");
  const std::size_t end = page.find("</main>") + 7;
  return page.substr(begin, end - begin);
}

// The error that render_report throws; fails when there is none.
std::string error_of(const std::filesystem::path& dir) {
  try {
    render_report(dir);
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::bad_input);
    return e.what();
  }
  FAIL("expected an error");
  return "";
}

}  // namespace

TEST_CASE("a whole run becomes one well-formed page that loads nothing", "[report]") {
  const TemporaryDirectory dir;
  write_run(dir.path());
  const std::string page = render_report(dir.path());
  CHECK(xml_problem(xml_part(page)) == "");
  CHECK(page.starts_with("<!doctype html>"));
  for (const char* loads : {"<script", "<link", "<img", " src=", "url(", "@import"}) {
    INFO(loads);
    CHECK_FALSE(has(page, loads));
  }
  CHECK(has(page,
            "<b>macro F1 0.852</b>: 20.5 points above the same student alone, 1.2 points above"));
  CHECK(has(page, "from 38.0% to <b>97.2%</b>"));
  CHECK(has(page, "AUC 0.943"));
  CHECK(has(page, "<b>active</b> in 50% of the steps"));
  CHECK(has(page, "No gain here: &lt;control&gt;"));
  CHECK(has(page, "a file 3.86 times as small, answers in 1/2 of the time, accuracy +0.10 points"));
  CHECK(has(page, "for 100.00% of the images; the teacher takes 20 ms, 100 times as long"));
  CHECK(has(page, "<td>0.8511</td><td>−0.30</td><td>0.8493</td><td>99.70%</td>"));
  CHECK(has(page, "≤ 1 step"));
  CHECK(has(page, "dog &amp; co"));
  CHECK(has(page, "Not applicable to these records: rule consistency."));
  CHECK(has(page, "score · AUROC 1.00"));    // every defect scores below every effective record
  CHECK(has(page, "weight3 · AUROC 0.50"));  // a constant tells nothing
  CHECK(has(page, "Alarms raised: 1. Actions taken: teacher every step × 1."));
  CHECK_FALSE(has(page, "class=\"absent\""));
  CHECK(page == render_report(dir.path()));
}

TEST_CASE("a bound that hardly ever acts is called vacuous", "[report]") {
  const TemporaryDirectory dir;
  write_run(dir.path(), 0.05);
  CHECK(has(render_report(dir.path()),
            "was <b>vacuous</b>: its multiplier left the floor in only 5.0%"));
}

TEST_CASE("files that are absent leave a sentence", "[report]") {
  const TemporaryDirectory dir;
  write_text(dir.path() / "summary.json", "{}");
  std::string page = render_report(dir.path());
  CHECK(xml_problem(xml_part(page)) == "");
  for (const char* file : {"log.jsonl is absent", "scores.csv is absent", "graph.json is absent",
                           "no confusion matrix", "no table", "no INT8 student"}) {
    INFO(file);
    CHECK(has(page, file));
  }
  std::filesystem::remove(dir.path() / "summary.json");
  write_log(dir.path(), 0.5);
  page = render_report(dir.path());
  CHECK(has(page, "This run has no result yet"));
  CHECK(has(page, "Training loss, the students"));
}

TEST_CASE("scores without a manifest compare kept with dropped", "[report]") {
  const TemporaryDirectory dir;
  write_run(dir.path());
  std::filesystem::remove(dir.path() / "refine/manifest.csv");
  const std::string page = render_report(dir.path());
  CHECK(has(page, "There is no refine/manifest.csv"));
  CHECK_FALSE(has(page, "AUROC"));
}

TEST_CASE("malformed files are named with their line", "[report]") {
  struct Case {
    const char* file;
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"summary.json", "{\n\"teacher\": }", "summary.json:2: expected JSON"},
      {"summary.json", "[]", "summary.json:1: expected an object, got array"},
      {"summary.json", R"({"teacher": 5})", "expected an object in \"teacher\", got number"},
      {"summary.json", R"({"teacher": {"f1": "high"}})",
       "expected a number in \"teacher.f1\", got string"},
      {"summary.json", R"({"seed": 1, "seed": 2})", "\"seed\" stands twice"},
      {"summary.json", R"({"confusion": {"teacher": [[1, 2], [3]]}})",
       "square matrix in \"confusion.teacher\""},
      {"log.jsonl", "{\"event\":\"note\"}\n{\"event\":\"step\",\"loss\":\n",
       "log.jsonl:2: expected JSON"},
      {"log.jsonl", "{\"event\":\"step\"}\n", "log.jsonl:1: expected a string in \"run\""},
      {"log.jsonl", "\n{\"event\":\"step\",\"run\":\"a\",\"loss\":\"x\"}\n",
       "log.jsonl:2: expected a number in \"loss\""},
      {"log.jsonl", "{\"event\":\"alarm\",\"state\":\"on\"}\n",
       "expected \"raised\" or \"cleared\""},
      {"refine/scores.csv", "", "scores.csv:1: expected a header"},
      {"refine/scores.csv", "row,keep,score\n", "expected a column \"reason\""},
      {"refine/scores.csv", "row,keep,reason,score\n0,1,,0.5\n1,1,,abc\n",
       "scores.csv:3: expected a number in column \"score\", got \"abc\""},
      {"refine/scores.csv", "row,keep,reason,score\n0,1,\n",
       "scores.csv:2: expected 4 cells, got 3"},
      {"refine/scores.csv", "row,keep,reason,score\n0,yes,,1\n",
       "expected 0 or 1 in column \"keep\""},
      {"refine/manifest.csv", "row,kinds,effective\n\"0,,1\n",
       "manifest.csv:2: expected a closing quote"},
      {"restructure/graph.json", R"({"nodes": [], "edges": [[0, 1, 1]]})", "node numbers below 0"},
      {"restructure/graph.json", R"({"nodes": [3]})", "expected an object in \"nodes[0]\""},
  };
  for (const Case& c : cases) {
    INFO(c.file << ": " << c.text);
    const TemporaryDirectory dir;
    write_text(dir.path() / "summary.json", "{}");
    write_text(dir.path() / c.file, c.text);
    CHECK_THAT(error_of(dir.path()), Catch::Contains(c.message));
  }
}

TEST_CASE("deep nesting is refused, not followed", "[report]") {
  const TemporaryDirectory dir;
  write_text(dir.path() / "summary.json", "{\"a\":" + std::string(100000, '['));
  CHECK_THAT(error_of(dir.path()), Catch::Contains("nested deeper than 32"));
}

TEST_CASE("a torn last line is left out and said", "[report]") {
  const TemporaryDirectory dir;
  write_text(dir.path() / "log.jsonl", "{\"event\":\"note\",\"code\":\"a\"}\n{\"event\":\"st");
  CHECK(has(render_report(dir.path()), "The last line of log.jsonl is cut off"));
}

TEST_CASE("a directory that is no run is refused", "[report]") {
  const TemporaryDirectory dir;
  CHECK_THAT(error_of(dir.path()), Catch::Contains("got neither"));
  CHECK_THAT(error_of(dir.path() / "absent"), Catch::Contains("expected a run directory"));
}

TEST_CASE("the page is written in one piece", "[report]") {
  const TemporaryDirectory dir;
  write_run(dir.path());
  CHECK(write_report(dir.path()) == dir.path() / "report.html");
  CHECK(read_text(dir.path() / "report.html") == render_report(dir.path()));
}

TEST_CASE("CSV is read as RFC 4180 has it", "[report]") {
  const auto records = report::read_csv("a,b\r\n\"x,\"\"y\"\"\nz\",2\r\n,", "f.csv");
  REQUIRE(records.size() == 3);
  CHECK(records[0].cells == std::vector<std::string>{"a", "b"});
  CHECK(records[1].cells == std::vector<std::string>{"x,\"y\"\nz", "2"});
  CHECK(records[2].cells == std::vector<std::string>{"", ""});
  CHECK(records[2].line == 4);
}
