#include "distill/refine/table_selection.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace athanor::distill {
namespace {

class Selector {
 public:
  Selector(const TableRecords& records, const TableFeatures& features, const ScoreModel& model,
           const SelectionOptions& options)
      : r_(records), f_(features), model_(model), o_(options), n_(records.size()) {
    s_.reasons.number("");
    s_.reason.assign(static_cast<std::size_t>(n_), 0);
    s_.keep.assign(static_cast<std::size_t>(n_), 0);
  }

  TableSelection run() {
    for (std::int64_t i = 0; i < n_; ++i) check(i);
    drop_copies();
    std::vector<std::int64_t> rows;
    for (std::int64_t i = settled(); i < n_; ++i) {
      if (s_.reason[i] == 0) rows.push_back(i);
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [&](auto a, auto b) { return f_.score[a] > f_.score[b]; });
    if (o_.budget || o_.retention) {
      by_count(rows);
    } else if (o_.effective) {
      by_mean(rows);
    } else {
      by_threshold(rows);
    }
    keep_every_class(rows);
    for (std::int64_t i = 0; i < n_; ++i) {
      s_.keep[i] = s_.reason[i] == 0;
      s_.kept += s_.keep[i];
    }
    return std::move(s_);
  }

 private:
  void drop(std::int64_t row, const std::string& reason) {
    s_.reason[row] = s_.reasons.number(reason);
  }

  std::int64_t settled() const { return o_.earlier != nullptr ? o_.earlier->size() : 0; }

  void check(std::int64_t i) {
    const auto verdict = o_.verdicts.find(i);
    if (verdict != o_.verdicts.end()) {
      if (verdict->second == Verdict::drop) drop(i, "review");
      return;
    }
    if (i < settled()) {
      if (!o_.earlier->keep[i]) drop(i, o_.earlier->reason[i]);
      return;
    }
    if (!o_.overlap.empty() && !o_.overlap[i].empty()) return drop(i, "overlap:" + o_.overlap[i]);
    if (r_.missing[i] >= 0) {
      const CellFault fault = r_.missing_fault[i];
      const bool absent = fault == CellFault::absent || fault == CellFault::sentinel;
      return drop(
          i, (absent ? "missing" : std::string(name_of(fault))) + ":" + r_.columns[r_.missing[i]]);
    }
    const LookFault look = r_.media.look_fault(i);
    if (look != LookFault::none) return drop(i, "surface:" + std::string(name_of(look)));
    if (r_.has_text && f_.surface[i].faults != 0) {
      for (const TextFault fault : kTextFaults) {
        if (!f_.surface[i].has(fault)) continue;
        return drop(i, "surface:" + std::string(name_of(fault)));
      }
    }
    for (const RuleCheck& rule : r_.checks) {
      if (rule.drop && rule.state[i] == RuleState::broken) return drop(i, "rule:" + rule.name);
    }
  }

  void drop_copies() {
    std::vector<double> rank(f_.score);
    for (std::int64_t i = 0; i < n_; ++i) {
      if (i < settled()) rank[i] = 2;
      if (s_.reason[i] != 0) rank[i] = -1;
      if (kept_by_review(i)) rank[i] = 3;
    }
    std::vector<char> stands(static_cast<std::size_t>(n_), 0);
    for (const std::int64_t row : best_of_groups(f_.groups.group, rank)) stands[row] = 1;
    // A near copy in other words is left to the score, where a budget can bring it back.
    std::vector<char> worded(static_cast<std::size_t>(n_), 0);
    for (const std::int64_t row : best_of_groups(f_.groups.wording, rank)) worded[row] = 1;
    std::vector<std::int64_t> representative(static_cast<std::size_t>(n_), -1);
    for (std::int64_t i = 0; i < n_; ++i) {
      if (stands[i]) representative[f_.groups.group[i]] = i;
    }
    for (std::int64_t i = settled(); i < n_; ++i) {
      if (s_.reason[i] != 0 || worded[i] || kept_by_review(i)) continue;
      const bool same = r_.content[i] == r_.content[representative[f_.groups.group[i]]];
      drop(i, same ? "duplicate" : "near_duplicate");
    }
  }

  bool kept_by_review(std::int64_t i) const {
    const auto verdict = o_.verdicts.find(i);
    return verdict != o_.verdicts.end() && verdict->second == Verdict::keep;
  }

  void drop_by_score(std::int64_t i) {
    if (kept_by_review(i)) return;
    if (f_.suspect[i]) return drop(i, "label");
    const int worst = model_.worst(f_.row[i]);
    drop(i, worst < 0 ? "score" : "score:" + std::string(kFeatureNames[worst]));
  }

  void by_threshold(const std::vector<std::int64_t>& rows) {
    for (const std::int64_t i : rows) {
      if (f_.score[i] < o_.threshold) drop_by_score(i);
    }
  }

  void by_mean(const std::vector<std::int64_t>& rows) {
    double sum = 0;
    std::size_t count = 0;
    for (; count < rows.size(); ++count) {
      sum += f_.score[rows[count]];
      if (sum / static_cast<double>(count + 1) < *o_.effective) break;
    }
    for (; count < rows.size(); ++count) drop_by_score(rows[count]);
  }

  void by_count(const std::vector<std::int64_t>& rows) {
    const auto total = std::ssize(rows);
    std::int64_t wanted = o_.budget ? std::min(*o_.budget, total)
                                    : std::llround(*o_.retention * static_cast<double>(total));
    // Largest remainder: each class gets its share of the places.
    std::map<std::int64_t, std::int64_t> size, quota;
    for (const std::int64_t i : rows) ++size[o_.stratify ? r_.label[i] : 0];
    std::vector<std::pair<double, std::int64_t>> rest;
    std::int64_t given = 0;
    for (const auto& [label, count] : size) {
      const double share = static_cast<double>(wanted) * static_cast<double>(count) /
                           static_cast<double>(std::max<std::int64_t>(total, 1));
      quota[label] = static_cast<std::int64_t>(share);
      given += quota[label];
      rest.emplace_back(static_cast<double>(quota[label]) - share, label);
    }
    std::sort(rest.begin(), rest.end());
    for (std::size_t k = 0; k < rest.size() && given < wanted; ++k, ++given)
      ++quota[rest[k].second];
    for (const std::int64_t i : rows) {
      if (--quota[o_.stratify ? r_.label[i] : 0] >= 0) continue;
      if (f_.score[i] < o_.threshold) {
        drop_by_score(i);
      } else {
        drop(i, "budget");
      }
    }
  }

  void keep_every_class(const std::vector<std::int64_t>& rows) {
    std::vector<char> alive(static_cast<std::size_t>(r_.label_names.size()), 0);
    const auto lives = [&](std::int64_t i) {
      if (r_.label[i] >= 0 && s_.reason[i] == 0) alive[r_.label[i]] = 1;
    };
    for (std::int64_t i = 0; i < settled(); ++i) lives(i);
    for (const std::int64_t i : rows) lives(i);
    for (const std::int64_t i : rows) {  // best first
      if (r_.label[i] < 0 || alive[r_.label[i]]) continue;
      alive[r_.label[i]] = 1;
      s_.reason[i] = 0;
      ++s_.saved;
    }
  }

  const TableRecords& r_;
  const TableFeatures& f_;
  const ScoreModel& model_;
  const SelectionOptions& o_;
  const std::int64_t n_;
  TableSelection s_;
};

}  // namespace

TableSelection select_records(const TableRecords& records, const TableFeatures& features,
                              const ScoreModel& model, const SelectionOptions& options) {
  return Selector(records, features, model, options).run();
}

}  // namespace athanor::distill
