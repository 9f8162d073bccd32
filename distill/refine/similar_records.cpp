#include "distill/refine/similar_records.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>

#include "data/text/unicode.h"
#include "distill/refine/feature_values.h"
#include "distill/refine/text_units.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kCommonTerm = 4096;  // records
constexpr double kTitle = .25;
constexpr double kNear = 2;  // what nearness in time weighs beside 1

bool is_cjk(std::int32_t c) {
  return data::is_chinese(c) || (c >= 0x3040 && c <= 0x30ff);  // Hiragana, Katakana
}

enum class Case { lower, upper, digit, other };

Case case_of(std::int32_t c) {
  if (data::is_number(c)) return Case::digit;
  if (!data::is_letter(c)) return Case::other;
  std::vector<std::int32_t> lower;
  data::append_lower(lower, c);
  return lower.size() == 1 && lower.front() == c ? Case::lower : Case::upper;
}

std::string utf8(const std::vector<std::int32_t>& characters, std::size_t begin, std::size_t end) {
  std::string out;
  for (std::size_t i = begin; i < end; ++i) data::append_utf8(out, characters[i]);
  return out;
}

// The word and, where it has several, its parts: Capitalised or lower-case runs, runs of capitals
// (the last of them starts the next run where lower case follows), runs of digits.
void add_word(const std::vector<std::int32_t>& word, std::vector<std::string>& terms) {
  terms.push_back(normalised(utf8(word, 0, word.size())));
  std::vector<std::pair<std::size_t, std::size_t>> parts;
  for (std::size_t i = 0; i < word.size();) {
    const std::size_t begin = i;
    const Case first = case_of(word[i++]);
    const auto run = [&](Case kind) {
      while (i < word.size() && case_of(word[i]) == kind) ++i;
    };
    if (first == Case::other) continue;
    run(first);
    if (first == Case::upper && i < word.size() && case_of(word[i]) == Case::lower) {
      if (i - begin > 1) {
        parts.emplace_back(begin, i - 1);
        parts.emplace_back(i - 1, 0);
      } else {
        parts.emplace_back(begin, 0);
      }
      run(Case::lower);
      parts.back().second = i;
    } else {
      parts.emplace_back(begin, i);
    }
  }
  if (parts.size() < 2) return;
  for (const auto& [begin, end] : parts) terms.push_back(normalised(utf8(word, begin, end)));
}

// Rows of weights, of length 1, and the same by term.
struct TermRows {
  std::vector<std::vector<std::pair<std::int32_t, float>>> row;
  std::vector<std::vector<std::pair<std::int64_t, float>>> postings;
};

TermRows weighted(const std::vector<std::vector<std::pair<std::int32_t, std::int32_t>>>& counts,
                  std::int64_t terms) {
  const auto n = static_cast<double>(counts.size());
  TermRows out;
  std::vector<std::int64_t> df(static_cast<std::size_t>(terms));
  for (const auto& row : counts) {
    for (const auto& [term, count] : row) ++df[term];
  }
  out.row.resize(counts.size());
  out.postings.resize(static_cast<std::size_t>(terms));
  for (std::size_t i = 0; i < counts.size(); ++i) {
    double squares = 0;
    for (const auto& [term, count] : counts[i]) {
      if (df[term] > kCommonTerm) continue;
      const double weight =
          (1 + std::log(count)) * (std::log((1 + n) / (1 + static_cast<double>(df[term]))) + 1);
      // A term that no other record has only makes the row longer.
      if (df[term] > 1) out.row[i].emplace_back(term, static_cast<float>(weight));
      squares += weight * weight;
    }
    for (auto& [term, weight] : out.row[i]) {
      weight = static_cast<float>(weight / std::sqrt(squares));
      out.postings[term].emplace_back(i, weight);
    }
  }
  return out;
}

// What a pair's similarity is multiplied by, in (0, 1]: records of the same time say the same more
// often.
class NearnessInTime {
 public:
  // `time`: seconds, NaN = unknown.
  explicit NearnessInTime(std::span<const double> time) : time_(time) {
    std::vector<double> age(time.begin(), time.end());
    double latest = -std::numeric_limits<double>::infinity();
    for (const double t : time) {
      if (is_applicable(t)) latest = std::max(latest, t);
    }
    for (double& t : age) t = latest - t;
    half_life_ = applicable_quantile(age, .5) / 2;
  }
  double operator()(std::int64_t a, std::int64_t b) const {
    if (!(half_life_ > 0)) return 1;  // no times, or hardly any that differ
    const double apart = std::abs(time_[a] - time_[b]);
    return (1 + kNear * std::exp2(is_applicable(apart) ? -apart / half_life_ : -1)) / (1 + kNear);
  }

 private:
  std::span<const double> time_;
  double half_life_ = 0;
};

class TermCounts {
 public:
  void add(std::vector<std::string> terms) {
    std::vector<std::int32_t> numbers;
    for (const std::string& term : terms) numbers.push_back(terms_.number(term));
    std::sort(numbers.begin(), numbers.end());
    auto& row = rows_.emplace_back();
    for (const std::int32_t term : numbers) {
      if (row.empty() || row.back().first != term) row.emplace_back(term, 0);
      ++row.back().second;
    }
  }
  TermRows weights() const { return weighted(rows_, terms_.size()); }

 private:
  Dictionary terms_;
  std::vector<std::vector<std::pair<std::int32_t, std::int32_t>>> rows_;
};

}  // namespace

std::vector<std::string> similarity_terms(std::string_view text) {
  std::vector<std::string> terms;
  std::vector<std::int32_t> word;
  std::int32_t before = -1;  // the last character where it is CJK
  const auto end_word = [&] {
    if (!word.empty()) add_word(word, terms);
    word.clear();
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::int32_t c = data::decode_utf8(text, at);
    if (c < 0) ++at;
    const bool cjk = c >= 0 && is_cjk(c);
    if (cjk) {
      end_word();
      terms.push_back(utf8({c}, 0, 1));
      if (before >= 0) terms.push_back(utf8({before, c}, 0, 2));
    } else if (c >= 0 && data::is_word(c)) {
      word.push_back(c);
    } else {
      end_word();
    }
    before = cjk ? c : -1;
  }
  end_word();
  return terms;
}

std::vector<SimilarRecord> similar_records(const TableInput& input, const TableRecords& records,
                                           std::int64_t k) {
  if (k < 1) raise(ErrorKind::usage, "--similar: expected a number of records >= 1, got ", k);
  std::vector<std::size_t> columns;
  for (const std::string& name : input.schema.text) {
    const auto at = std::find(records.columns.begin(), records.columns.end(), name);
    if (at != records.columns.end()) {
      columns.push_back(static_cast<std::size_t>(at - records.columns.begin()));
    }
  }
  if (columns.empty()) {
    raise(ErrorKind::usage,
          "--similar: expected a column of text (--text NAME, or text = [...] in ",
          "the schema), found none");
  }
  TermCounts all, titles;
  for_each_record(
      input, records,
      [&](std::int64_t, const data::Record& record) {
        std::vector<std::string> terms;
        for (const std::size_t c : columns) {
          const std::string_view value = record.fields[c];
          if (!data::is_absent(value, input.schema.sentinels)) {
            const std::vector<std::string> more = similarity_terms(value);
            terms.insert(terms.end(), more.begin(), more.end());
          }
          if (c == columns.front() && columns.size() > 1) titles.add(terms);
        }
        all.add(std::move(terms));
      },
      [](std::size_t, const data::Record&) {});
  std::vector<std::pair<double, TermRows>> views;
  const double total = columns.size() > 1 ? 1 + kTitle : 1;
  views.emplace_back(1 / total, all.weights());
  if (columns.size() > 1) views.emplace_back(kTitle / total, titles.weights());

  const NearnessInTime nearness(records.time);
  const std::int64_t n = records.size();
  std::vector<std::vector<SimilarRecord>> found(static_cast<std::size_t>(n));
  parallel_for(n, 64, [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> sum(static_cast<std::size_t>(n));
    std::vector<std::int64_t> touched;
    for (std::int64_t i = begin; i < end; ++i) {
      for (const auto& [share, view] : views) {
        for (const auto& [term, weight] : view.row[i]) {
          for (const auto& [other, its] : view.postings[term]) {
            if (other == i) continue;
            if (sum[other] == 0) touched.push_back(other);
            sum[other] += share * double(weight) * its;
          }
        }
      }
      for (const std::int64_t other : touched) sum[other] *= nearness(i, other);
      const auto better = [&](std::int64_t a, std::int64_t b) {
        return sum[a] != sum[b] ? sum[a] > sum[b] : a < b;
      };
      const auto some = std::min<std::ptrdiff_t>(k, std::ssize(touched));
      std::partial_sort(touched.begin(), touched.begin() + some, touched.end(), better);
      for (std::ptrdiff_t j = 0; j < some; ++j) {
        found[i].push_back({i, touched[j], std::min(sum[touched[j]], 1.)});
      }
      for (const std::int64_t other : touched) sum[other] = 0;
      touched.clear();
    }
  });
  std::vector<SimilarRecord> out;
  for (const auto& row : found) out.insert(out.end(), row.begin(), row.end());
  return out;
}

}  // namespace athanor::distill
