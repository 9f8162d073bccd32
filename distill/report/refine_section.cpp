#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "distill/refine/feature_values.h"
#include "distill/report/html.h"
#include "distill/report/page.h"
#include "distill/report/sections.h"

namespace athanor::distill::report {
namespace {

constexpr int kGood = kGreen;
constexpr int kDefect = kAmber;
constexpr std::size_t kMaxReasons = 12;
constexpr std::size_t kMaxKinds = 14;

// scores.csv joined with manifest.csv: row numbers of `table.rows` by what was planted.
struct Joined {
  bool known = false;           // there is a manifest
  std::vector<bool> effective;  // one a record; all true without a manifest
  std::vector<std::pair<std::string, std::vector<std::size_t>>> kinds;  // commonest first
};

Joined join(const RunFiles& run) {
  const ScoreTable& table = *run.scores;
  Joined out;
  out.known = run.manifest.has_value();
  out.effective.assign(table.rows.size(), true);
  if (!out.known) return out;
  std::map<std::string, std::vector<std::size_t>> by_kind;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto planted = run.manifest->find(table.rows[i].row);
    if (planted == run.manifest->end()) continue;
    out.effective[i] = planted->second.effective;
    for (const std::string& kind : planted->second.kinds) by_kind[kind].push_back(i);
  }
  out.kinds.assign(by_kind.begin(), by_kind.end());
  std::stable_sort(out.kinds.begin(), out.kinds.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  if (out.kinds.size() > kMaxKinds) out.kinds.resize(kMaxKinds);
  return out;
}

// Of the records that have a value.
double auroc_of(const ScoreTable& table, std::size_t column, const std::vector<bool>& effective) {
  std::vector<double> score;
  std::vector<char> positive;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const double value = table.rows[i].values[column];
    if (!std::isfinite(value)) continue;
    score.push_back(value);
    positive.push_back(effective[i]);
  }
  return auroc(score, positive);
}

std::vector<double> column_values(const ScoreTable& table, std::size_t column,
                                  const std::vector<std::size_t>& rows) {
  std::vector<double> out;
  for (const std::size_t i : rows) {
    const double value = table.rows[i].values[column];
    if (std::isfinite(value)) out.push_back(value);
  }
  return out;
}

template <class Predicate>
std::vector<std::size_t> rows_where(std::size_t count, Predicate predicate) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < count; ++i) {
    if (predicate(i)) out.push_back(i);
  }
  return out;
}

// The two groups that a histogram compares, whatever is known.
struct Groups {
  std::string good_name;
  std::string bad_name;
  std::vector<std::size_t> good;
  std::vector<std::size_t> bad;
};

Groups groups_of(const ScoreTable& table, const Joined& joined) {
  const auto is_good = [&](std::size_t i) {
    return joined.known ? joined.effective[i] : table.rows[i].keep;
  };
  const std::size_t n = table.rows.size();
  return {joined.known ? "effective" : "kept", joined.known ? "planted defect" : "dropped",
          rows_where(n, is_good), rows_where(n, [&](std::size_t i) { return !is_good(i); })};
}

std::string score_figure(const ScoreTable& table, const Groups& groups) {
  const auto score = std::find(table.columns.begin(), table.columns.end(), "score");
  const auto column = static_cast<std::size_t>(score - table.columns.begin());
  Histogram chart;
  chart.title = "Histogram of the score";
  chart.description =
      "Records by score; " + groups.good_name + " and " + groups.bad_name + " records stacked";
  chart.x = {"score", 0, 1};
  chart.y = {"records"};
  chart.width = 960;
  chart.series = {{groups.bad_name, column_values(table, column, groups.bad), kDefect},
                  {groups.good_name, column_values(table, column, groups.good), kGood}};
  return figure("The score that decides",
                legend({{groups.good_name, kGood}, {groups.bad_name, kDefect}}) + render(chart),
                "wide");
}

std::string reason_figure(const ScoreTable& table, const Joined& joined) {
  struct Count {
    double defective = 0;
    double effective = 0;
    double total() const { return defective + effective; }
  };
  std::map<std::string, Count> by_reason;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    if (table.rows[i].keep) continue;
    Count& count =
        by_reason[table.rows[i].reason.empty() ? "no reason given" : table.rows[i].reason];
    ++(joined.known && joined.effective[i] ? count.effective : count.defective);
  }
  std::vector<std::pair<std::string, Count>> order(by_reason.begin(), by_reason.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.second.total() > b.second.total();
  });
  while (order.size() > kMaxReasons) {
    Count& other = order[kMaxReasons - 1].second;
    order[kMaxReasons - 1].first = "other reasons";
    other.defective += order.back().second.defective;
    other.effective += order.back().second.effective;
    order.pop_back();
  }
  if (order.empty()) return figure("Why records were dropped", absent("Every record was kept."));
  BarChart chart;
  chart.title = "Dropped records by reason";
  chart.description = "One bar a reason; its length is the number of records dropped for it";
  chart.x = {"records dropped"};
  for (const auto& [reason, count] : order) {
    chart.rows.push_back({readable_name(reason),
                          {{count.defective, kDefect, format_number(count.defective) + " defects"},
                           {count.effective, kGood, format_number(count.effective) + " effective"}},
                          format_number(count.total())});
  }
  const std::vector<LegendEntry> entries =
      joined.known ? std::vector<LegendEntry>{{"rightly: a planted defect", kDefect},
                                              {"wrongly: effective", kGood}}
                   : std::vector<LegendEntry>{{"dropped", kDefect}};
  return figure("Why records were dropped", legend(entries) + render(chart));
}

std::string recall_figure(const ScoreTable& table, const Joined& joined, const Groups& groups) {
  BarChart chart;
  chart.title = "Share of each planted kind that was dropped";
  chart.description = "One bar a kind of defect, and one for the effective records lost";
  chart.x = {"dropped", 0, 1, false, true};
  const auto add = [&](const std::string& name, const std::vector<std::size_t>& rows, int color) {
    const auto dropped =
        std::count_if(rows.begin(), rows.end(), [&](std::size_t i) { return !table.rows[i].keep; });
    const double share = static_cast<double>(dropped) / static_cast<double>(rows.size());
    chart.rows.push_back({readable_name(name),
                          {{share, color, fmt::format("{} of {}", dropped, rows.size())}},
                          format_percent(share)});
  };
  for (const auto& [kind, rows] : joined.kinds) add(kind, rows, kDefect);
  if (!groups.good.empty()) add("effective (lost)", groups.good, kGood);
  return figure("How much of each defect was found", render(chart));
}

std::string feature_figure(const ScoreTable& table, std::size_t column, const Joined& joined,
                           const Groups& groups) {
  RidgeChart chart;
  const std::string name = readable_name(table.columns[column]);
  chart.title = name + " by kind of defect";
  chart.description = "One small histogram a row, each scaled to its own peak";
  chart.x = {name, 0, 1};
  chart.rows.push_back({groups.good_name, column_values(table, column, groups.good), kGood});
  if (!joined.known) {
    chart.rows.push_back({groups.bad_name, column_values(table, column, groups.bad), kDefect});
  }
  for (const auto& [kind, rows] : joined.kinds) {
    chart.rows.push_back({readable_name(kind), column_values(table, column, rows), kDefect});
  }
  const bool empty = std::all_of(chart.rows.begin(), chart.rows.end(),
                                 [](const RidgeRow& row) { return row.values.empty(); });
  if (empty) return "";
  const double area = joined.known ? auroc_of(table, column, joined.effective) : kMissing;
  return figure(std::isfinite(area) ? name + " · AUROC " + format_fixed(area, 2) : name,
                render(chart));
}

std::string inapplicable_sentence(const ScoreTable& table) {
  std::string names;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const bool used = std::any_of(table.rows.begin(), table.rows.end(),
                                  [c](const auto& row) { return std::isfinite(row.values[c]); });
    if (!used) names += (names.empty() ? "" : ", ") + escape(readable_name(table.columns[c]));
  }
  return names.empty() ? "" : sentence("Not applicable to these records: " + names + ".");
}

}  // namespace

std::string refine_section(const RunFiles& run) {
  if (!run.scores) {
    return section("refine", "Stage 1: what refinement saw and did", "",
                   absent("refine/scores.csv is absent: stage 1 was switched off, or the run ended "
                          "before it."));
  }
  const ScoreTable& table = *run.scores;
  const Joined joined = join(run);
  const Groups groups = groups_of(table, joined);
  std::string figures = score_figure(table, groups) + reason_figure(table, joined);
  if (joined.known) figures += recall_figure(table, joined, groups);
  std::string features;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    features += feature_figure(table, c, joined, groups);
  }
  std::string lead =
      "Each record is measured on features from 0 to 1, higher is better; their combination, the "
      "score, decides what is kept.";
  lead += joined.known
              ? " Defects were planted here, and only this page and the evaluation know where."
              : " There is no refine/manifest.csv, so which records are truly bad is not known.";
  std::string below;
  if (joined.known) {
    below = sentence(
        "AUROC: how well the feature alone tells effective records from planted defects; 0.5 is "
        "guessing, below 0.5 it points the wrong way.");
  }
  return section("refine", "Stage 1: what refinement saw and did", lead,
                 grid(figures) + "<h3>The features, by kind of defect</h3>\n" + below +
                     grid(features, "grid three") + inapplicable_sentence(table));
}

}  // namespace athanor::distill::report
