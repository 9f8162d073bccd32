#include "distill/refine/linkage.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "distill/refine/link_mixture.h"
#include "distill/refine/text_units.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"

namespace athanor::distill {
namespace {

constexpr std::size_t kCommonWord = 60;  // records with a word up to which it makes candidates
constexpr double kSmallNumber = 10'000;

// Unit vector of tf-idf weights, by gram.
using TokenWeights = std::vector<std::pair<std::uint32_t, float>>;

// One compared column: its values as numbers or as weights of 3-grams.
struct FieldValues {
  std::vector<std::optional<double>> number;  // where the whole column is small numbers
  std::vector<TokenWeights> weights;
};

double cosine(const TokenWeights& a, const TokenWeights& b) {
  double sum = 0;
  for (auto i = a.begin(), j = b.begin(); i != a.end() && j != b.end();) {
    if (i->first == j->first) {
      sum += double(i->second) * j->second;
      ++i;
      ++j;
    } else if (i->first < j->first) {
      ++i;
    } else {
      ++j;
    }
  }
  return sum;
}

// Letters and digits of a normalised text; everything else parts words.
std::vector<std::string> plain_words(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || std::isalnum(byte)) {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

std::vector<TokenWeights> gram_weights(const std::vector<std::string>& values) {
  std::vector<TokenWeights> rows(values.size());
  std::unordered_map<std::uint32_t, std::int64_t> df;
  Words hashes;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::vector<std::uint32_t> grams;
    for (const std::string& word : plain_words(values[i])) {
      const std::string padded = " " + word + " ";
      for (std::size_t k = 0; k + 3 <= padded.size(); ++k) {
        grams.push_back(static_cast<unsigned char>(padded[k]) << 16 |
                        static_cast<unsigned char>(padded[k + 1]) << 8 |
                        static_cast<unsigned char>(padded[k + 2]));
      }
    }
    std::sort(grams.begin(), grams.end());
    for (const std::uint32_t gram : grams) {
      if (rows[i].empty() || rows[i].back().first != gram) {
        rows[i].emplace_back(gram, 0.f);
        ++df[gram];
      }
      rows[i].back().second += 1;
    }
  }
  const auto n = static_cast<double>(values.size());
  for (TokenWeights& row : rows) {
    double squares = 0;
    for (auto& [gram, weight] : row) {
      weight = static_cast<float>((1 + std::log(weight)) *
                                  std::log(n / static_cast<double>(df[gram]) + 1));
      squares += double(weight) * weight;
    }
    for (auto& [gram, weight] : row) weight /= static_cast<float>(std::sqrt(squares));
  }
  return rows;
}

class Linkage {
 public:
  Linkage(const TableInput& input, const TableRecords& records, const LinkOptions& options)
      : in_(input), r_(records), o_(options) {}

  std::vector<Link> run() {
    read();
    const std::vector<std::pair<std::int64_t, std::int64_t>> pairs = candidates();
    const std::int64_t fields = std::ssize(fields_);
    std::vector<float> similarity(pairs.size() * fields_.size());
    parallel_for(std::ssize(pairs), 256, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p) {
        for (std::int64_t f = 0; f < fields; ++f) {
          similarity[p * fields + f] = compare(fields_[f], pairs[p].first, pairs[p].second);
        }
      }
    });
    std::vector<double> posterior;
    double cut = 0;
    if (!o_.threshold) {
      posterior = match_posteriors(similarity, fields);
      cut = best_expected_f1_cut(posterior);
    }
    std::vector<Link> links;
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      Link link{pairs[p].first, pairs[p].second};
      link.similarity = mean(std::span(similarity).subspan(p * fields_.size(), fields_.size()));
      if (!o_.threshold) link.posterior = posterior[p];
      const bool same = o_.threshold ? link.similarity >= *o_.threshold : link.posterior >= cut;
      if (same) links.push_back(link);
    }
    return o_.across_files ? one_to_one(std::move(links)) : links;
  }

 private:
  void read() {
    std::vector<std::size_t> columns;
    for (const std::string& name : o_.fields) {
      const auto at = std::find(r_.columns.begin(), r_.columns.end(), name);
      if (at == r_.columns.end()) {
        raise(ErrorKind::usage, "--dedup: expected a column of ", in_.files.front().string(),
              ", found '", name, "'");
      }
      columns.push_back(static_cast<std::size_t>(at - r_.columns.begin()));
    }
    values_.assign(columns.size(), {});
    for_each_record(
        in_, r_,
        [&](std::int64_t, const data::Record& record) {
          for (std::size_t f = 0; f < columns.size(); ++f) {
            const std::string_view value = record.fields[columns[f]];
            const bool none = data::is_absent(value, in_.schema.sentinels);
            values_[f].push_back(none ? "" : normalised(value));
          }
        },
        [](std::size_t, const data::Record&) {});
    for (const auto& column : values_) {
      FieldValues field;
      const bool numbers = std::all_of(column.begin(), column.end(), [](const std::string& v) {
        const auto number = data::parse_number(v);
        return v.empty() || (number && std::abs(*number) < kSmallNumber);
      });
      if (numbers) {
        for (const std::string& v : column) field.number.push_back(data::parse_number(v));
      } else {
        field.weights = gram_weights(column);
      }
      fields_.push_back(std::move(field));
    }
    for (std::size_t f = 0; f < r_.rows_of_file.size(); ++f) {
      file_.insert(file_.end(), static_cast<std::size_t>(r_.rows_of_file[f]),
                   static_cast<std::int32_t>(f));
    }
  }

  // Pairs that share a word which is not common, in the same field.
  std::vector<std::pair<std::int64_t, std::int64_t>> candidates() const {
    std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
    for (std::size_t f = 0; f < values_.size(); ++f) {
      if (!fields_[f].number.empty()) continue;
      std::unordered_map<std::string, std::vector<std::int64_t>> rows_of;
      for (std::int64_t i = 0; i < std::ssize(values_[f]); ++i) {
        for (const std::string& word : plain_words(values_[f][i])) {
          auto& rows = rows_of[word];
          if (rows.size() <= kCommonWord && (rows.empty() || rows.back() != i)) rows.push_back(i);
        }
      }
      for (const auto& [word, rows] : rows_of) {
        if (rows.size() > kCommonWord) continue;
        for (std::size_t b = 1; b < rows.size(); ++b) {
          for (std::size_t a = 0; a < b; ++a) {
            if (o_.across_files && file_[rows[a]] == file_[rows[b]]) continue;
            pairs.emplace_back(rows[a], rows[b]);
          }
        }
      }
      std::sort(pairs.begin(), pairs.end());
      pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
    }
    return pairs;
  }

  // NaN where one of them has no value.
  static float compare(const FieldValues& field, std::int64_t a, std::int64_t b) {
    if (!field.number.empty()) {
      if (!field.number[a] || !field.number[b]) return NAN;
      return static_cast<float>(std::exp(-std::abs(*field.number[a] - *field.number[b])));
    }
    if (field.weights[a].empty() || field.weights[b].empty()) return NAN;
    return static_cast<float>(cosine(field.weights[a], field.weights[b]));
  }

  static double mean(std::span<const float> similarity) {
    double sum = 0;
    int count = 0;
    for (const float s : similarity) {
      if (std::isnan(s)) continue;
      sum += s;
      ++count;
    }
    return count > 0 ? sum / count : 0;
  }

  std::vector<Link> one_to_one(std::vector<Link> links) const {
    std::stable_sort(links.begin(), links.end(), [](const Link& x, const Link& y) {
      return x.posterior != y.posterior ? x.posterior > y.posterior : x.similarity > y.similarity;
    });
    std::vector<char> taken(static_cast<std::size_t>(r_.size()), 0);
    std::vector<Link> kept;
    for (const Link& link : links) {
      if (taken[link.a] || taken[link.b]) continue;
      taken[link.a] = taken[link.b] = 1;
      kept.push_back(link);
    }
    std::sort(kept.begin(), kept.end(),
              [](const Link& x, const Link& y) { return x.a != y.a ? x.a < y.a : x.b < y.b; });
    return kept;
  }

  const TableInput& in_;
  const TableRecords& r_;
  const LinkOptions& o_;
  std::vector<std::vector<std::string>> values_;
  std::vector<FieldValues> fields_;
  std::vector<std::int32_t> file_;
};

}  // namespace

std::vector<Link> link_records(const TableInput& input, const TableRecords& records,
                               const LinkOptions& options) {
  if (options.across_files && input.files.size() < 2) {
    raise(ErrorKind::usage, "--dedup: expected two files to link across, got one");
  }
  return Linkage(input, records, options).run();
}

}  // namespace athanor::distill
