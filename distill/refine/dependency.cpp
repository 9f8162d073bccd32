#include "distill/refine/dependency.h"

#include <algorithm>
#include <cmath>

#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

constexpr double kFirstTrust = .8, kPrior = 2;  // statements that the first trust counts for
constexpr double kLeastTrust = .05, kMostTrust = .98, kOffset = 3;
constexpr int kRounds = 8;
constexpr std::int64_t kMostSources = 500;
constexpr std::size_t kLargestGroup = 100;

struct Statement {
  std::int64_t row;
  std::int32_t source, value;
};

// All statements on one field of one group.
struct Item {
  std::size_t dependent;
  std::vector<Statement> statements;
  std::int32_t winner = -1;
};

class Vote {
 public:
  Vote(std::vector<Item> items, std::int64_t sources)
      : items_(std::move(items)),
        sources_(sources),
        trust_(static_cast<std::size_t>(sources), kFirstTrust),
        copies_(sources <= kMostSources ? static_cast<std::size_t>(sources * sources) : 0) {}

  std::vector<Item> run() {
    for (int round = 0; round < (sources_ > 0 ? kRounds : 1); ++round) {
      for (Item& item : items_) item.winner = winner_of(item);
      if (sources_ > 0) learn();
    }
    return std::move(items_);
  }

 private:
  double copies(const Statement& a, const Statement& b) const {
    return copies_.empty() ? 0 : copies_[a.source * sources_ + b.source];
  }

  std::int32_t winner_of(const Item& item) const {
    std::vector<std::int32_t> values;  // in the order of their first statement
    for (const Statement& s : item.statements) {
      if (std::find(values.begin(), values.end(), s.value) == values.end())
        values.push_back(s.value);
    }
    std::int32_t best = values.front();
    double most = -1;
    for (const std::int32_t value : values) {
      const double weight = weight_of(item, value);
      if (weight > most + 1e-9) {
        most = weight;
        best = value;
      }
    }
    return best;
  }

  double weight_of(const Item& item, std::int32_t value) const {
    std::vector<const Statement*> votes;
    for (const Statement& s : item.statements) {
      if (s.value == value) votes.push_back(&s);
    }
    if (sources_ == 0) return static_cast<double>(votes.size());
    std::stable_sort(votes.begin(), votes.end(), [&](const Statement* a, const Statement* b) {
      return trust_[a->source] > trust_[b->source];
    });
    const bool independent = votes.size() > kLargestGroup;
    double sum = 0;
    for (std::size_t n = 0; n < votes.size(); ++n) {
      double own = 1;
      for (std::size_t m = 0; m < n && !independent; ++m) own *= 1 - copies(*votes[n], *votes[m]);
      const double t = std::clamp(trust_[votes[n]->source], kLeastTrust, kMostTrust);
      sum += own * (std::log(t / (1 - t)) + kOffset);
    }
    return sum;
  }

  void learn() {
    std::vector<double> right(trust_.size(), kPrior * kFirstTrust), stated(trust_.size(), kPrior);
    std::vector<double> same(copies_.size()), lost(copies_.size(), 2);
    for (const Item& item : items_) {
      if (item.statements.size() < 2) continue;
      for (std::size_t a = 0; a < item.statements.size(); ++a) {
        const Statement& s = item.statements[a];
        stated[s.source] += 1;
        right[s.source] += s.value == item.winner;
        if (copies_.empty() || item.statements.size() > kLargestGroup) continue;
        for (std::size_t b = 0; b < a; ++b) {
          const Statement& t = item.statements[b];
          if (s.value == item.winner && t.value == item.winner) continue;
          for (const auto at : {s.source * sources_ + t.source, t.source * sources_ + s.source}) {
            lost[at] += 1;
            same[at] += s.value == t.value;
          }
        }
      }
    }
    for (std::size_t s = 0; s < trust_.size(); ++s) trust_[s] = right[s] / stated[s];
    for (std::size_t p = 0; p < copies_.size(); ++p) copies_[p] = same[p] / lost[p];
  }

  std::vector<Item> items_;
  const std::int64_t sources_;
  std::vector<double> trust_;
  std::vector<double> copies_;
};

}  // namespace

DependencyVote vote_on_dependency(std::span<const std::int32_t> group, std::int64_t groups,
                                  const std::vector<std::vector<std::int32_t>>& value,
                                  std::span<const std::int32_t> source) {
  const std::int64_t n = std::ssize(group);
  for (const auto& column : value) {
    if (std::ssize(column) != n || (!source.empty() && std::ssize(source) != n)) {
      fail("vote_on_dependency", "expected ", n, " values and sources, got ", column.size(),
           " and ", source.size());
    }
  }
  std::int32_t sources = 0;
  for (const std::int32_t s : source) sources = std::max(sources, s + 1);
  std::vector<Item> items;
  for (std::size_t d = 0; d < value.size(); ++d) {
    std::vector<Item> of_group(static_cast<std::size_t>(groups), Item{d, {}, -1});
    for (std::int64_t i = 0; i < n; ++i) {
      if (group[i] < 0 || value[d][i] < 0) continue;
      const std::int32_t who = source.empty() ? 0 : std::max(source[i], 0);
      of_group[group[i]].statements.push_back({i, who, value[d][i]});
    }
    for (Item& item : of_group) {
      if (!item.statements.empty()) items.push_back(std::move(item));
    }
  }
  items = Vote(std::move(items), sources).run();
  std::vector<std::vector<std::int32_t>> winner_of_group(
      value.size(), std::vector<std::int32_t>(static_cast<std::size_t>(groups), -1));
  for (const Item& item : items) {
    winner_of_group[item.dependent][group[item.statements.front().row]] = item.winner;
  }
  DependencyVote vote;
  for (std::size_t d = 0; d < value.size(); ++d) {
    std::vector<std::int32_t>& winner = vote.winner.emplace_back(n, -1);
    for (std::int64_t i = 0; i < n; ++i) {
      if (group[i] >= 0) winner[i] = winner_of_group[d][group[i]];
    }
  }
  return vote;
}

}  // namespace athanor::distill
