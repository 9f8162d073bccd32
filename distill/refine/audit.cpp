#include "distill/refine/audit.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "data/record_reader.h"
#include "data/table_schema.h"
#include "distill/refine/feature_values.h"
#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

constexpr double kRetention = .95;

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

double f1_of(double precision, double recall) {
  return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
}

// All records of a CSV file; a malformed one is an error.
std::vector<std::vector<std::string>> read_all(const std::filesystem::path& path,
                                               std::vector<std::string>& columns,
                                               bool header = true) {
  data::TableDialect dialect = data::dialect_of_path(path);
  dialect.header = header;
  data::RecordReader reader(path, dialect);
  columns = reader.columns();
  std::vector<std::vector<std::string>> rows;
  data::Record record;
  while (reader.next(record)) {
    if (record.problem) {
      raise(ErrorKind::bad_input, path.string(), ": line ", record.line, ", ",
            record.problem->field, ": expected ", record.problem->expected, ", found ",
            record.problem->found);
    }
    rows.emplace_back(record.fields.begin(), record.fields.end());
  }
  return rows;
}

std::size_t place_of(const std::vector<std::string>& columns, const std::string& name,
                     const std::filesystem::path& path) {
  const auto at = std::find(columns.begin(), columns.end(), name);
  if (at == columns.end()) {
    raise(ErrorKind::bad_input, path.string(), ": expected a column '", name, "', found none");
  }
  return static_cast<std::size_t>(at - columns.begin());
}

std::vector<std::int64_t> rows_where(std::size_t n, auto&& holds) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < n; ++i) {
    if (holds(i)) rows.push_back(static_cast<std::int64_t>(i));
  }
  return rows;
}

// Passed every check that comes before the score.
bool passed_checks(const std::string& reason) {
  return reason.empty() || reason == "label" || reason == "budget" || reason.starts_with("score");
}

const std::vector<double>& column_of(const AuditedScores& s, std::string_view name) {
  const auto at = std::find(s.names.begin(), s.names.end(), name);
  if (at == s.names.end()) fail("audit", "expected a column ", name, " in scores.csv");
  return s.columns[static_cast<std::size_t>(at - s.names.begin())];
}

std::vector<char> good_records(const AuditedScores& s) {
  const std::vector<double>& unique = column_of(s, "uniqueness");
  std::vector<char> good;
  for (std::size_t i = 0; i < s.manifest.size(); ++i) {
    good.push_back(s.manifest[i].correct && !(unique[i] < 1));
  }
  return good;
}

// AUROC over the records where the column applies.
double auroc_where(const std::vector<double>& values, const std::vector<char>& good,
                   const std::vector<char>& among) {
  std::vector<double> score;
  std::vector<char> positive;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!among[i] || !is_applicable(values[i])) continue;
    score.push_back(values[i]);
    positive.push_back(good[i]);
  }
  return auroc(score, positive);
}

std::vector<std::int64_t> by_score(const AuditedScores& s, std::vector<std::int64_t> rows) {
  const std::vector<double>& score = column_of(s, "score");
  std::stable_sort(rows.begin(), rows.end(), [&](auto a, auto b) { return score[a] > score[b]; });
  return rows;
}

SelectionQuality at_retention(const AuditedScores& s, const std::vector<std::int64_t>& passed) {
  const std::vector<std::int64_t> order = by_score(s, passed);
  // The smallest prefix that reaches the retention, by bisection: retention grows with the prefix.
  std::size_t low = 0, high = order.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const auto quality = evaluate_selection(s.manifest, std::span(order).first(middle));
    if (quality.retention >= kRetention) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return evaluate_selection(s.manifest, std::span(order).first(std::min(low, order.size())));
}

double average_precision(const AuditedScores& s, const std::vector<char>& good) {
  std::vector<std::int64_t> rows(good.size());
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  rows = by_score(s, std::move(rows));
  double found = 0, sum = 0;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    if (!good[rows[k]]) continue;
    ++found;
    sum += found / static_cast<double>(k + 1);
  }
  return found > 0 ? sum / found : kNotApplicable;
}

}  // namespace

AuditedScores read_audit(const std::filesystem::path& refined,
                         const std::filesystem::path& manifest) {
  const auto path = refined / "scores.csv";
  AuditedScores s;
  s.manifest = read_manifest_csv(manifest);
  std::vector<std::string> columns;
  const auto rows = read_all(path, columns);
  const std::size_t keep = place_of(columns, "keep", path),
                    reason = place_of(columns, "reason", path);
  const std::size_t first = place_of(columns, "score", path);
  if (rows.size() != s.manifest.size()) {
    raise(ErrorKind::bad_input, path.string(), ": expected ", s.manifest.size(),
          " records as in the manifest, found ", rows.size());
  }
  s.names.assign(columns.begin() + static_cast<std::ptrdiff_t>(first), columns.end());
  s.columns.resize(s.names.size());
  for (const auto& row : rows) {
    s.keep.push_back(row[keep] == "1");
    s.reason.push_back(row[reason]);
    for (std::size_t k = 0; k < s.names.size(); ++k) {
      s.columns[k].push_back(data::parse_number(row[first + k]).value_or(kNotApplicable));
    }
  }
  return s;
}

Audit audit(const AuditedScores& s) {
  const std::size_t n = s.manifest.size();
  Audit a;
  const auto kept = rows_where(n, [&](std::size_t i) { return s.keep[i]; });
  const auto passed = rows_where(n, [&](std::size_t i) { return passed_checks(s.reason[i]); });
  a.selected = evaluate_selection(s.manifest, kept);
  a.free_checks = evaluate_selection(s.manifest, passed);
  a.at_95 = at_retention(s, passed);
  a.effective_before = share(a.selected.effective_total, static_cast<std::int64_t>(n));
  const std::vector<char> good = good_records(s), all(n, 1);
  const std::vector<double>& score = column_of(s, "score");
  a.auroc = auroc_where(score, good, all);
  a.auprc = average_precision(s, good);
  Calibration calibration;
  for (std::size_t i = 0; i < n; ++i) calibration.add(score[i], good[i]);
  a.calibration = calibration.bins();
  a.ece = calibration_error(a.calibration);
  for (std::size_t k = 0; k < s.names.size(); ++k) {
    a.auroc_of.emplace_back(s.names[k], auroc_where(s.columns[k], good, all));
  }
  for (const KindRecall& recall : recall_by_kind(s.manifest, kept)) {
    std::vector<char> among(n), effective(n);
    for (std::size_t i = 0; i < n; ++i) {
      effective[i] = s.manifest[i].effective;
      // Of a group of copies any may be the one that counts as the original.
      among[i] = (effective[i] && good[i]) || (s.manifest[i].kinds.has(recall.kind) && !good[i]);
    }
    a.kinds.push_back({recall, auroc_where(score, effective, among)});
  }
  return a;
}

std::string audit_json(const Audit& a) {
  using Json = nlohmann::ordered_json;
  const auto number = [](double v) { return is_applicable(v) ? Json(v) : Json(); };
  const auto quality = [&](const SelectionQuality& q) {
    return Json{
        {"kept", q.kept}, {"effective_share", q.effective_share}, {"retention", q.retention}};
  };
  Json columns = Json::object(), kinds = Json::object();
  for (const auto& [name, value] : a.auroc_of) columns[name] = number(value);
  for (const KindAudit& kind : a.kinds) {
    kinds[std::string(name_of(kind.recall.kind))] = {{"planted", kind.recall.planted},
                                                     {"removed", kind.recall.removed},
                                                     {"recall", kind.recall.recall},
                                                     {"auroc", number(kind.auroc)}};
  }
  Json bins = Json::array();
  for (const CalibrationBin& bin : a.calibration) {
    bins.push_back(
        {{"records", bin.records}, {"score", number(bin.score)}, {"good", number(bin.good)}});
  }
  const Json json = {{"effective_before", a.effective_before},
                     {"selected", quality(a.selected)},
                     {"free_checks", quality(a.free_checks)},
                     {"at_retention_95", quality(a.at_95)},
                     {"auroc", number(a.auroc)},
                     {"auprc", number(a.auprc)},
                     {"ece", a.ece},
                     {"calibration", bins},
                     {"auroc_of", columns},
                     {"kinds", kinds}};
  return json.dump(2) + "\n";
}

ScoreModel fit_to_audits(const std::vector<AuditedScores>& audits,
                         const std::vector<Defect>& held_out) {
  std::vector<FeatureRow> rows;
  std::vector<char> good;
  for (const AuditedScores& s : audits) {
    const std::vector<char> of = good_records(s);
    for (std::size_t i = 0; i < of.size(); ++i) {
      const bool out = std::any_of(held_out.begin(), held_out.end(),
                                   [&](Defect kind) { return s.manifest[i].kinds.has(kind); });
      if (out) continue;
      FeatureRow row;
      for (std::size_t k = 0; k < kFeatures; ++k) row[k] = column_of(s, kFeatureNames[k])[i];
      rows.push_back(row);
      good.push_back(of[i]);
    }
  }
  return fit_score_model(rows, good);
}

FieldAudit audit_fields(const std::filesystem::path& refined, const std::filesystem::path& dirty,
                        const std::filesystem::path& clean) {
  std::vector<std::string> columns, clean_columns, repair_columns;
  const auto before = read_all(dirty, columns), after = read_all(clean, clean_columns);
  if (before.size() != after.size() || columns.size() != clean_columns.size()) {
    raise(ErrorKind::bad_input, clean.string(), ": expected ", before.size(), " records of ",
          columns.size(), " fields as in ", dirty.string(), ", found ", after.size(), " of ",
          clean_columns.size());
  }
  const auto path = refined / "repairs.csv";
  const auto repairs = read_all(path, repair_columns);
  const auto place = [&](const char* name) { return place_of(repair_columns, name, path); };
  std::map<std::pair<std::size_t, std::size_t>, std::optional<std::string>> flagged;
  for (const auto& row : repairs) {
    const auto number =
        static_cast<std::size_t>(data::parse_number(row[place("row")]).value_or(-1));
    if (number >= before.size()) {
      raise(ErrorKind::bad_input, path.string(), ": expected rows of ", dirty.string(), ", found ",
            row[place("row")]);
    }
    auto& suggestion = flagged[{number, place_of(columns, row[place("column")], dirty)}];
    if (row[place("has_suggestion")] == "1") suggestion = row[place("suggestion")];
  }
  FieldAudit a;
  for (std::size_t i = 0; i < before.size(); ++i) {
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const bool wrong = before[i][c] != after[i][c];
      a.wrong += wrong;
      const auto at = flagged.find({i, c});
      if (at == flagged.end()) continue;
      ++a.flagged;
      a.right += wrong;
      a.repaired += wrong && at->second == after[i][c];
    }
  }
  a.precision = share(a.right, a.flagged);
  a.recall = share(a.right, a.wrong);
  a.f1 = f1_of(a.precision, a.recall);
  return a;
}

LinkAudit audit_links(const std::filesystem::path& refined, const std::filesystem::path& pairs) {
  std::vector<std::string> columns;
  std::set<std::pair<std::string, std::string>> gold, found;
  const auto put = [](auto& set, const std::string& a, const std::string& b) {
    set.insert(std::minmax(a, b));
  };
  for (const auto& row : read_all(pairs, columns, false)) {
    if (row.size() < 2)
      raise(ErrorKind::bad_input, pairs.string(), ": expected two columns of ids");
    put(gold, row[0], row[1]);
  }
  const auto path = refined / "links.csv";
  const auto links = read_all(path, columns);
  const std::size_t a = place_of(columns, "id_a", path), b = place_of(columns, "id_b", path);
  for (const auto& row : links) put(found, row[a], row[b]);
  LinkAudit audit;
  audit.gold = std::ssize(gold);
  audit.found = std::ssize(found);
  for (const auto& pair : found) audit.right += gold.contains(pair);
  audit.precision = share(audit.right, audit.found);
  audit.recall = share(audit.right, audit.gold);
  audit.f1 = f1_of(audit.precision, audit.recall);
  return audit;
}

SimilarAudit audit_similar(const std::filesystem::path& refined,
                           const std::filesystem::path& pairs) {
  const auto path = refined / "similar.csv";
  std::vector<std::string> columns;
  const auto listed = read_all(path, columns);
  const std::size_t id = place_of(columns, "id", path), other = place_of(columns, "other_id", path),
                    rank = place_of(columns, "rank", path);
  std::map<std::pair<std::string, std::string>, double> rank_of;
  for (const auto& row : listed) {
    const auto number = data::parse_number(row[rank]);
    if (!number || *number < 1) {
      raise(ErrorKind::bad_input, path.string(), ": expected a rank >= 1, found '", row[rank], "'");
    }
    rank_of[{row[id], row[other]}] = *number;
  }
  std::set<std::pair<std::string, std::string>> gold;
  for (const auto& row : read_all(pairs, columns, false)) {
    if (row.size() < 2)
      raise(ErrorKind::bad_input, pairs.string(), ": expected two columns of ids");
    gold.emplace(row[0], row[1]);
  }
  SimilarAudit audit;
  audit.pairs = std::ssize(gold);
  if (gold.empty()) return audit;
  const double part = 1 / static_cast<double>(gold.size());
  for (const auto& pair : gold) {
    const auto at = rank_of.find(pair);
    if (at == rank_of.end()) continue;
    audit.recall_at_1 += at->second <= 1 ? part : 0;
    audit.recall_at_5 += at->second <= 5 ? part : 0;
    audit.recall_at_10 += at->second <= 10 ? part : 0;
    audit.reciprocal_rank += part / at->second;
  }
  return audit;
}

}  // namespace athanor::distill
