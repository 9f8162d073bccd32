#include "distill/refine/review.h"

#include <fmt/format.h>

#include <algorithm>

#include "distill/refine/table_output.h"
#include "distill/report/html.h"
#include "distill/report/page.h"
#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

bool decided_by_score(const std::string& reason) {
  return reason.empty() || reason == "label" || reason.starts_with("score");
}

std::vector<std::int64_t> queue(const TableRefineOptions& options,
                                const TableRefineResult& result) {
  const TableSelection& s = result.selection;
  std::map<std::int64_t, Verdict> known;
  if (!options.reviewed.empty()) known = read_verdicts(options.reviewed, result.records.size());
  std::vector<std::pair<double, std::int64_t>> order;
  for (std::int64_t i = 0; i < result.records.size(); ++i) {
    if (known.contains(i) || !decided_by_score(s.reasons.text(s.reason[i]))) continue;
    const double score = result.features.score[i];
    order.emplace_back(s.keep[i] ? score - 1 : -score, i);
  }
  std::sort(order.begin(), order.end());
  std::vector<std::int64_t> rows;
  for (const auto& [gain, row] : order) {
    if (std::ssize(rows) == options.review) break;
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

void write_review(const TableRefineOptions& options, const TableRefineResult& result) {
  const TableRecords& r = result.records;
  const TableSelection& s = result.selection;
  const auto& columns = r.columns;
  const auto id = std::find(columns.begin(), columns.end(), options.input.schema.id);
  const std::vector<std::int64_t> rows = queue(options, result);
  std::map<std::int64_t, std::string> ids;
  for (const std::int64_t row : rows) ids[row] = std::to_string(row);
  if (id != columns.end()) {
    for_each_record(
        options.input, r,
        [&](std::int64_t row, const data::Record& record) {
          const auto at = ids.find(row);
          if (at != ids.end()) at->second = record.fields[id - columns.begin()];
        },
        [](std::size_t, const data::Record&) {});
  }
  BufferedFile csv(options.out / "review.csv");
  csv << "row,id,decision,reason,score,label,suggested_label,content,verdict\n";
  std::string table =
      "<div class=\"panel\"><table><thead><tr><th>row</th><th>decision</th><th>score</th><th>label"
      "</th><th style=\"text-align:left\">content</th></tr></thead><tbody>";
  const auto label = [&](std::int64_t y) { return y < 0 ? std::string() : r.label_names.text(y); };
  for (const std::int64_t i : rows) {
    const char* decision = s.keep[i] ? "keep" : "drop";
    const std::string given = label(r.label[i]), guess = label(result.features.guess[i]);
    csv << fmt::format("{},{},{},{},{:.4f},{},{},{},\n", i, csv_field(ids[i]), decision,
                       csv_field(s.reasons.text(s.reason[i])), result.features.score[i],
                       csv_field(given), csv_field(guess), csv_field(r.text[i]));
    table += fmt::format(
        "<tr><th>{}</th><td>{}</td><td>{:.3f}</td><td>{}</td>"
        "<td style=\"text-align:left;white-space:normal\">{}</td></tr>",
        i, decision, result.features.score[i],
        report::escape(given == guess || guess.empty() ? given : given + " → " + guess + "?"),
        report::escape(r.text[i]));
  }
  csv.commit();
  write_file_atomically(
      options.out / "review.html",
      fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                  "<title>Review · Athanor</title>\n<style>{}</style></head>\n<body><main>\n{}"
                  "</main></body></html>\n",
                  report::page_style(),
                  report::section("queue", "Records to review",
                                  "Fill the column verdict of review.csv with keep or drop, then "
                                  "<code>athanor refine ... --apply review.csv</code>.",
                                  table + "</tbody></table></div>\n")));
}

std::map<std::int64_t, Verdict> read_verdicts(const std::filesystem::path& path,
                                              std::int64_t records) {
  data::RecordReader reader(path, data::dialect_of_path("review.csv"));
  const auto& columns = reader.columns();
  const auto place = [&](const char* name) {
    const auto at = std::find(columns.begin(), columns.end(), name);
    if (at == columns.end()) {
      raise(ErrorKind::bad_input, path.string(), ": line 1: expected a column ", name,
            ", found none");
    }
    return static_cast<std::size_t>(at - columns.begin());
  };
  const std::size_t row_column = place("row"), verdict_column = place("verdict");
  std::map<std::int64_t, Verdict> verdicts;
  data::Record record;
  while (reader.next(record)) {
    const auto refuse = [&](std::string_view field, std::string_view expected,
                            std::string_view found) {
      raise(ErrorKind::bad_input, path.string(), ": line ", record.line, ", ", field, ": expected ",
            expected, ", found '", found, "'");
    };
    if (record.problem) {
      refuse(record.problem->field, record.problem->expected, record.problem->found);
    }
    const std::string_view verdict = data::trimmed(record.fields[verdict_column]);
    if (verdict.empty()) continue;
    if (verdict != "keep" && verdict != "drop") refuse("verdict", "keep or drop", verdict);
    const auto number = data::parse_number(record.fields[row_column]);
    if (!number || *number < 0 || *number >= static_cast<double>(records) ||
        *number != static_cast<double>(static_cast<std::int64_t>(*number))) {
      refuse("row", "a row of the table", record.fields[row_column]);
    }
    const Verdict value = verdict == "keep" ? Verdict::keep : Verdict::drop;
    if (!verdicts.emplace(static_cast<std::int64_t>(*number), value).second) {
      refuse("row", "each row once", record.fields[row_column]);
    }
  }
  return verdicts;
}

}  // namespace athanor::distill
