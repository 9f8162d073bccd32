#include "distill/report/run_files.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "distill/report/fields.h"
#include "tensor/base/error.h"

namespace athanor::distill::report {
namespace {

template <class... Args>
[[noreturn]] void bad(const Args&... args) {
  raise(ErrorKind::bad_input, args...);
}

StepEvent step_of(const Fields& f) {
  StepEvent e;
  e.run = f.required_text("run");
  e.step = f.integer("step");
  e.epoch = f.number("epoch");
  e.loss = f.number("loss");
  const Fields terms = f.object("loss_terms");
  for (const auto& [name, value] : terms.json().items()) {
    e.loss_terms.emplace_back(name, terms.number(name.c_str()));
  }
  e.lr = f.number("lr");
  e.grad_norm = f.number("grad_norm");
  e.clip_rate = f.number("clip_rate");
  e.temperature = f.number("temperature");
  e.epsilon = f.number("epsilon");
  e.d = f.number("d");
  e.lambda = f.number("lambda");
  const Fields mix = f.object("mix");
  e.mix = {mix.number("high_diversity"), mix.number("high_quality"), mix.number("hard")};
  e.delta_l = f.number("delta_l");
  return e;
}

AlarmEvent alarm_of(const Fields& f) {
  const std::string state = f.required_text("state");
  if (state != "raised" && state != "cleared") {
    bad(f.where(), ": expected \"raised\" or \"cleared\" in \"state\", got \"", state, "\"");
  }
  return {f.text("run"),      f.integer("step"),   state == "raised",
          f.text("dominant"), f.number("delta_l"), f.number("threshold")};
}

void add_event(const Fields& f, LogData& log) {
  const std::string event = f.required_text("event");
  if (event == "start") {
    log.start =
        StartEvent{f.text("version"), f.text("device"), static_cast<int>(f.integer("threads")),
                   static_cast<std::uint64_t>(f.integer("seed"))};
  } else if (event == "stage") {
    if (f.text("state") == "end") {
      log.stages.push_back({f.required_text("name"), f.number("seconds")});
    }
  } else if (event == "step") {
    log.steps.push_back(step_of(f));
  } else if (event == "epoch") {
    log.epochs.push_back({f.required_text("run"), f.integer("epoch"), f.integer("step"),
                          f.number("train_loss"), f.number("val_accuracy"), f.number("val_f1")});
  } else if (event == "alarm") {
    log.alarms.push_back(alarm_of(f));
  } else if (event == "action") {
    log.actions.push_back(
        {f.text("run"), f.integer("step"), f.required_text("kind"), f.number("value")});
  } else if (event == "note") {
    log.notes.push_back({f.text("code"), f.text("message")});
  }
  // Other events belong to newer versions or other commands; they hold nothing to draw here.
}

std::size_t column_of(const CsvRecord& header, const char* name, const std::string& file) {
  const auto found = std::find(header.cells.begin(), header.cells.end(), name);
  if (found == header.cells.end()) bad(file, ":1: expected a column \"", name, "\", got none");
  return static_cast<std::size_t>(found - header.cells.begin());
}

std::vector<std::string> split_kinds(const std::string& cell) {
  std::vector<std::string> kinds;
  for (std::size_t begin = 0; begin < cell.size();) {
    const std::size_t end = std::min(cell.find(';', begin), cell.size());
    if (end > begin) kinds.push_back(cell.substr(begin, end - begin));
    begin = end + 1;
  }
  return kinds;
}

std::optional<std::string> read_file(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) bad(path.string(), ": cannot be read");
  return text;
}

}  // namespace

std::vector<std::string> LogData::runs() const {
  std::vector<std::string> out;
  const auto add = [&out](const std::string& run) {
    if (std::find(out.begin(), out.end(), run) == out.end()) out.push_back(run);
  };
  for (const StepEvent& e : steps) add(e.run);
  for (const EpochEvent& e : epochs) add(e.run);
  return out;
}

Json read_json_object(const std::string& text, const std::string& file) {
  Json object = parse_json(text, file);
  if (!object.is_object()) bad(file, ":1: expected an object, got ", object.type_name());
  return object;
}

LogData read_log(const std::string& text, const std::string& file) {
  LogData log;
  std::size_t line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    ++line;
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) {  // a kill came in the middle of a write
      log.torn = true;
      break;
    }
    const std::string_view row(text.data() + begin, end - begin);
    begin = end + 1;
    if (row.empty()) continue;
    const Json event = parse_json(row, file, line);
    add_event(Fields(event, str(file, ":", line)), log);
  }
  return log;
}

ScoreTable read_scores(const std::string& text, const std::string& file) {
  const std::vector<CsvRecord> records = read_csv(text, file);
  if (records.empty()) bad(file, ":1: expected a header, got an empty file");
  const CsvRecord& header = records.front();
  const std::size_t row = column_of(header, "row", file);
  const std::size_t keep = column_of(header, "keep", file);
  const std::size_t reason = column_of(header, "reason", file);
  column_of(header, "score", file);
  ScoreTable table;
  std::vector<std::size_t> places;
  for (std::size_t c = 0; c < header.cells.size(); ++c) {
    if (c == row || c == keep || c == reason || header.cells[c] == "id") continue;
    places.push_back(c);
    table.columns.push_back(header.cells[c]);
  }
  for (std::size_t i = 1; i < records.size(); ++i) {
    const CsvRecord& r = records[i];
    ScoreTable::Row out;
    out.row = csv_integer(r.cells[row], file, r.line, "row");
    out.keep = csv_flag(r.cells[keep], file, r.line, "keep");
    out.reason = r.cells[reason];
    for (const std::size_t c : places) {
      out.values.push_back(csv_number(r.cells[c], file, r.line, header.cells[c]));
    }
    table.rows.push_back(std::move(out));
  }
  return table;
}

Manifest read_manifest(const std::string& text, const std::string& file) {
  const std::vector<CsvRecord> records = read_csv(text, file);
  if (records.empty()) bad(file, ":1: expected a header, got an empty file");
  const std::size_t row = column_of(records.front(), "row", file);
  const std::size_t kinds = column_of(records.front(), "kinds", file);
  const std::size_t effective = column_of(records.front(), "effective", file);
  Manifest manifest;
  for (std::size_t i = 1; i < records.size(); ++i) {
    const CsvRecord& r = records[i];
    manifest[csv_integer(r.cells[row], file, r.line, "row")] = {
        split_kinds(r.cells[kinds]), csv_flag(r.cells[effective], file, r.line, "effective")};
  }
  return manifest;
}

GraphData read_graph(const std::string& text, const std::string& file) {
  const Json json = read_json_object(text, file);
  const Fields fields(json, file);
  GraphData graph;
  for (const Json& node : fields.array("nodes")) {
    const Fields f(node, file, str("nodes[", graph.nodes.size(), "]"));
    std::string label;
    if (f.has("label")) {
      const Json& value = *node.find("label");
      label = value.is_string() ? value.get<std::string>() : value.dump();
    }
    const int cluster = f.has("cluster") ? static_cast<int>(f.integer("cluster")) : -1;
    graph.nodes.push_back({f.number("x"), f.number("y"), cluster, label});
  }
  for (const Json& edge : fields.array("edges")) {
    const std::string place = str("edges[", graph.edges.size(), "]");
    const bool shaped = edge.is_array() && (edge.size() == 2 || edge.size() == 3) &&
                        edge[0].is_number_unsigned() && edge[1].is_number_unsigned() &&
                        (edge.size() == 2 || edge[2].is_number());
    if (!shaped) bad(file, ": expected [node, node, weight] in ", place, ", got ", edge.dump());
    const ChartEdge e{edge[0].get<std::size_t>(), edge[1].get<std::size_t>(),
                      edge.size() == 3 ? edge[2].get<double>() : 1.0};
    if (std::max(e.from, e.to) >= graph.nodes.size()) {
      bad(file, ": expected node numbers below ", graph.nodes.size(), " in ", place, ", got ",
          edge.dump());
    }
    graph.edges.push_back(e);
  }
  graph.clusters = fields.integer("clusters");
  graph.noise = fields.integer("noise");
  return graph;
}

RunFiles read_run_files(const std::filesystem::path& dir) {
  if (!std::filesystem::is_directory(dir)) {
    bad("[report] expected a run directory, got ", dir.string());
  }
  RunFiles files;
  files.dir = dir;
  const auto read = [&dir](const char* name, auto reader, auto& out) {
    const std::filesystem::path path = dir / name;
    if (const auto text = read_file(path)) out = reader(*text, path.string());
  };
  read("summary.json", read_json_object, files.summary);
  read("log.jsonl", read_log, files.log);
  read("refine/scores.csv", read_scores, files.scores);
  read("refine/manifest.csv", read_manifest, files.manifest);
  read("restructure/graph.json", read_graph, files.graph);
  if (!files.summary && !files.log) {
    bad("[report] expected summary.json or log.jsonl in ", dir.string(), ", got neither");
  }
  return files;
}

}  // namespace athanor::distill::report
