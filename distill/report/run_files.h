// The files of a run directory (docs/run_directory.md), read strictly: a file that is absent is
// fine, one that is malformed throws Error bad_input naming the file and, where there is one, the
// line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "distill/report/svg_chart.h"
#include "distill/run/run_log.h"

namespace athanor::distill::report {

using Json = nlohmann::ordered_json;

struct Note {
  std::string code;
  std::string message;
};

struct StageTime {
  std::string name;
  double seconds = 0;
};

// log.jsonl, by kind of event and in its order.
struct LogData {
  std::optional<StartEvent> start;
  std::vector<StageTime> stages;  // those that ended
  std::vector<StepEvent> steps;
  std::vector<EpochEvent> epochs;
  std::vector<AlarmEvent> alarms;
  std::vector<ActionEvent> actions;
  std::vector<Note> notes;
  bool torn = false;  // the last line was cut off by a kill; it is left out

  // Arms in the order of their first step or epoch.
  std::vector<std::string> runs() const;
};

// refine/scores.csv. Cells that are empty are NaN: the feature does not apply to the record.
struct ScoreTable {
  struct Row {
    std::int64_t row = 0;
    bool keep = false;
    std::string reason;
    std::vector<double> values;  // one a column of `columns`
  };
  std::vector<std::string> columns;  // score, the features, weight3, weight4
  std::vector<Row> rows;
};

// refine/manifest.csv: what was planted, by row.
struct Planted {
  std::vector<std::string> kinds;  // empty: nothing
  bool effective = true;
};
using Manifest = std::map<std::int64_t, Planted>;

// restructure/graph.json.
struct GraphData {
  std::vector<GraphNode> nodes;
  std::vector<ChartEdge> edges;
  std::int64_t clusters = 0;
  std::int64_t noise = 0;
};

struct RunFiles {
  std::filesystem::path dir;
  std::optional<Json> summary;  // a JSON object; its keys are checked when used
  std::optional<LogData> log;
  std::optional<ScoreTable> scores;
  std::optional<Manifest> manifest;
  std::optional<GraphData> graph;
};

// Reads what there is. Throws bad_input also when `dir` is no directory or holds neither
// summary.json nor log.jsonl.
RunFiles read_run_files(const std::filesystem::path& dir);

// The readers, on text; `file` is for messages.
Json read_json_object(const std::string& text, const std::string& file);
LogData read_log(const std::string& text, const std::string& file);
ScoreTable read_scores(const std::string& text, const std::string& file);
Manifest read_manifest(const std::string& text, const std::string& file);
GraphData read_graph(const std::string& text, const std::string& file);

}  // namespace athanor::distill::report
