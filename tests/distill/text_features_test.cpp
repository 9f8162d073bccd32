#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <string>

#include "distill/refine/character_model.h"
#include "distill/refine/hashed_classifier.h"
#include "distill/refine/minhash.h"
#include "distill/refine/score_model.h"
#include "distill/refine/short_copies.h"
#include "distill/refine/text_units.h"
#include "distill/refine/token_rows.h"
#include "tensor/base/error.h"
#include "tensor/random.h"

using namespace athanor;
using namespace athanor::distill;

TEST_CASE("texts are normalised and split into words", "[text]") {
  CHECK(normalised("  Hello\t\n WORLD ") == "hello world");
  CHECK(normalised("\xef\xbc\xa1\xef\xbc\xa2 stra\xc3\x9f"
                   "e") == "ab strasse");  // full width, sharp s
  CHECK(normalised("a\xff"
                   "b") == "ab");
  Words words;
  split_words("it's 3 cats...", words);
  CHECK(words.hash.size() == 6);  // it ' s 3 cats ...
  CHECK(words.plain == 4);
  CHECK(words.symbols == 4);
  split_words("\xe4\xb8\xad\xe6\x96\x87 ok", words);
  CHECK(words.cjk == 2);
  CHECK(words.hash.size() == 3);
}

TEST_CASE("5-grams are of characters, their sets compare by Jaccard's index", "[text]") {
  std::vector<std::uint32_t> grams;
  hash_grams("abcdefg", grams);
  CHECK(grams.size() == 3);
  hash_grams("\xe4\xb8\xad\xe6\x96\x87", grams);
  CHECK(grams.size() == 1);
  CHECK(gram_jaccard("abcdef", "abcdef") == 1);
  CHECK(gram_jaccard("abcdef", "abcdeg") == Approx(1. / 3));  // {abcde, bcdef} and {abcde, bcdeg}
  CHECK(gram_jaccard("abcdef", "ghijkl") == 0);
}

TEST_CASE("wordings are equal up to punctuation, repeated words and typing errors", "[text]") {
  const auto same = [](std::string_view a, std::string_view b) {
    REQUIRE(same_wording(a, b) == same_wording(b, a));
    return same_wording(a, b);
  };
  const std::string text = "is a perfect family film , in 1990";
  CHECK(same(text, text));
  CHECK(same(text, "is a perfect family film in 1990 . !"));
  CHECK(same(text, "is is a perfect family film , in 1990"));
  CHECK(same(text, "is a perfect familx film , in 1990"));        // replaced
  CHECK(same(text, "is a perfect familyy film , in 1990"));       // put in
  CHECK(same(text, "is a perfect famly film , in 1990"));         // left out
  CHECK(same(text, "is a perfectxfamily film , in 1990"));        // a blank replaced
  CHECK(same(text, "is a perfect family film , in 199k"));        // a digit by a letter
  CHECK_FALSE(same(text, "is a perfect family film , in 1991"));  // by a digit
  CHECK_FALSE(same(text, "is a perfect family film , in 19901"));
  CHECK_FALSE(same(text, "is a perfext familx film , in 1990"));  // two errors
  CHECK_FALSE(same(text, "is not a perfect family film , in 1990"));
  CHECK_FALSE(same(text, "a perfect family film , in 1990"));
  CHECK_FALSE(same("so is is it", "so was was it"));
  // From 64 characters in words on two errors do, but no other word and no digit.
  const std::string half(60, 'x');
  CHECK(same(half + " perfect familx", half + " perfext family"));
  CHECK_FALSE(same(half + " perfect familx", half + " pxrfext family"));
  CHECK_FALSE(same(half + " perfect family", half + " a most perfect family"));
  CHECK_FALSE(same(half + " perfect 1990", half + " perfext 1991"));
  // From 128 on a few words make no other text.
  const std::string part(124, 'x');
  CHECK_FALSE(same(part + " of", part + " of all"));
  CHECK(same(part + " of it", part + " of it all"));
  CHECK(same("\xe4\xb8\xad\xe6\x96\x87\xe3\x80\x82", "\xe4\xb8\xad\xe6\x96\x87"));
  CHECK(same("\xe4\xb8\xad\xe6\x96\x87", "\xe4\xb8\xad\xe4\xb8\xaa"));
}

TEST_CASE("signatures estimate the Jaccard index, bands find pairs at 0.8", "[minhash]") {
  Generator random(3);
  double estimate = 0;
  int found = 0;
  constexpr int kPairs = 200;
  for (int t = 0; t < kPairs; ++t) {
    std::vector<std::uint32_t> a, b;
    for (int i = 0; i < 360; ++i) {
      a.push_back(random.next_u32());
      b.push_back(i < 320 ? a.back() : random.next_u32());  // J = 320 / 400
    }
    const auto x = minhash_signature(a), y = minhash_signature(b);
    int equal = 0;
    for (int p = 0; p < kPermutations; ++p) equal += x[p] == y[p];
    estimate += equal / double(kPermutations) / kPairs;
    const BandKeys keys[] = {band_keys(x), band_keys(y)};
    bool pair = false;
    for_each_candidate(keys, std::vector<char>(2),
                       [&](auto i, auto j) { pair = i == 0 && j == 1; });
    found += pair;
  }
  // The standard error of 200 x 128 draws is 0.0025.
  CHECK(estimate == Approx(.8).margin(.01));
  CHECK(found >= .95 * kPairs);
}

TEST_CASE("large buckets are walked in linear time and left out rows stay out", "[minhash]") {
  const std::vector<BandKeys> same(200, BandKeys{});
  std::vector<char> skip(200, 0);
  skip[7] = 1;
  std::int64_t pairs = 0;
  std::set<std::int64_t> rows;
  for_each_candidate(same, skip, [&](auto i, auto j) {
    ++pairs;
    rows.insert({i, j});
  });
  CHECK(pairs < 2 * 200 * kBands);
  CHECK(rows.size() == 199);
  CHECK_FALSE(rows.contains(7));
}

TEST_CASE("unlikely texts have a higher negative log-likelihood", "[text]") {
  TextArena texts;
  for (int i = 0; i < 50; ++i) texts.add("the cat sat on the mat and looked at the moon");
  texts.add("xq zzv kjw qqp vvx wkz jjq xzx pqk");
  texts.add("");
  const auto nll = character_nll(texts);
  CHECK(nll[50] > 2 * nll[0]);
  CHECK(std::isnan(nll[51]));
}

// Witten & Bell's model of order 3 as the formulas have it: counts of each context's characters in
// ordered maps, and the recursion. Bytes; '\0' stands before a text, '\1' ends it.
struct PlainModel {
  std::map<std::string, std::map<char, double>> follows;

  void learn(const std::string& text) {
    const std::string all = std::string(3, '\0') + text + '\1';
    for (std::size_t at = 3; at < all.size(); ++at) {
      for (std::size_t order = 0; order <= 3; ++order) {
        ++follows[all.substr(at - order, order)][all[at]];
      }
    }
  }
  double probability(const std::string& context, char c) const {
    const double shorter = context.empty() ? 1 / 4096. : probability(context.substr(1), c);
    const auto found = follows.find(context);
    if (found == follows.end()) return shorter;
    double seen = 0;
    for (const auto& [other, count] : found->second) seen += count;
    const double kinds = double(found->second.size());
    const auto own = found->second.find(c);
    const double count = own == found->second.end() ? 0 : own->second;
    return (count + kinds * shorter) / (seen + kinds);
  }
  double nll(const std::string& text) const {
    const std::string all = std::string(3, '\0') + text + '\1';
    double sum = 0;
    for (std::size_t at = 3; at < all.size(); ++at) {
      sum -= std::log(probability(all.substr(at - 3, 3), all[at]));
    }
    return sum / double(text.size() + 1);
  }
};

TEST_CASE("the character model is Witten and Bell's of the other half of the texts", "[text]") {
  const std::vector<std::string> text = {"the cat sat on the mat",
                                         "a mat for the cats",
                                         "that hat",
                                         "cats eat at the matinee",
                                         "the the the",
                                         "on a hot tin roof",
                                         "z",
                                         "hats off to the cats",
                                         "tea",
                                         "at sea"};
  TextArena texts;
  PlainModel half[2];
  // The halves' rule: the highest bit of the number times the golden ratio of 2^64.
  const auto half_of = [](std::size_t i) { return int(i * 0x9e3779b97f4a7c15u >> 63); };
  for (std::size_t i = 0; i < text.size(); ++i) {
    texts.add(text[i]);
    half[half_of(i)].learn(text[i]);
  }
  const auto nll = character_nll(texts);
  for (std::size_t i = 0; i < text.size(); ++i) {
    INFO(text[i]);
    // Log-probabilities are stored as f32; so few n-grams share no cell of the hash tables.
    CHECK(nll[i] == Approx(half[1 - half_of(i)].nll(text[i])).epsilon(1e-5));
  }
}

TEST_CASE("short texts are copies by their words, or by an error that no other text has",
          "[duplicates]") {
  const std::vector<std::vector<std::string>> same = {
      {"where is the thomas edison museum ?", "where is the thomas edison musbum ?",
       "where is thethomas edison museum ?", "where is the thomas edison musbum ?"},
      {"daring", "daring !", "daring daring", "`` daring ''"},
      {"how did it get so big ?", "howddid it get so big ?"},
      {"a bad film at its end"},
      {"a sad film at its end"},  // a shorter word
      {"they had a great time"},
      {"they had a treat time"},  // both words stand in the next one, too
      {"this treat is great for all of us"},
      {"model 7.5 in black"},  // digits
      {"model 75 in black"},
      {"model 76 in black"},
      {"ok"},
      {"ok !"},     // too short
      {"museums"},  // with an error, too
      {"museumz"},
      {"stationary post"},  // one word is not enough beside the error
      {"stationery post"}};
  TableRecords records;
  std::vector<std::size_t> expected;
  std::vector<char> skip;
  for (const auto& texts : same) {
    const std::size_t first = expected.size();
    for (const std::string& text : texts) {
      records.text.add(text);
      expected.push_back(first);
      skip.push_back(0);
    }
  }
  skip[3] = 1;  // known to be a copy of another one
  records.content.resize(expected.size());
  records.tokens = tokens_of(records.text);
  Components groups(records.size()), wordings(records.size());
  groups.join(1, 3);
  join_short_copies(records, skip, groups, wordings);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(records.text[static_cast<std::int64_t>(i)]);
    CHECK(groups.find(static_cast<std::int64_t>(i)) == static_cast<std::int64_t>(expected[i]));
    if (!skip[i]) {
      CHECK(wordings.find(static_cast<std::int64_t>(i)) == static_cast<std::int64_t>(expected[i]));
    }
  }
}

TEST_CASE("out-of-fold probabilities do not follow a record's own wrong label", "[classifier]") {
  Generator random(9);
  TextArena texts;
  std::vector<std::int64_t> label, group, truth;
  for (std::int64_t i = 0; i < 400; ++i) {
    const std::int64_t y = random.next_below(2);
    std::string text;
    for (int k = 0; k < 6; ++k) {
      text += (y ? "red" : "blue") + std::to_string(random.next_below(20)) + " ";
    }
    texts.add(text);
    truth.push_back(y);
    label.push_back(i % 10 == 0 ? 1 - y : y);
    group.push_back(i);
  }
  const TokenRows rows = tokens_of(texts);
  const OutOfFold fold = out_of_fold({rows}, label, 2, group);
  int right = 0;
  for (std::int64_t i = 0; i < 400; ++i) right += (fold.p.row(i)[1] > .5) == (truth[i] == 1);
  CHECK(right >= 380);
  CHECK(fold.accuracy == Approx(.9).margin(.02));
  CHECK(fold.p.row(0)[0] + fold.p.row(0)[1] == Approx(1));
  for (const auto events : fold.forgetting) CHECK(events < fold.presentations);
  CHECK_THROWS_AS(out_of_fold({rows}, label, 1, group), Error);
}

TEST_CASE("the score model finds what tells good from bad, and ignores what does not apply",
          "[score]") {
  Generator random(1);
  std::vector<FeatureRow> rows;
  std::vector<char> good;
  for (int i = 0; i < 2000; ++i) {
    FeatureRow row;
    row.fill(std::nan(""));
    row[3] = random.next_uniform();
    row[4] = random.next_uniform();
    good.push_back(random.next_uniform() < 1 / (1 + std::exp(-8 * (row[3] - .5))));
    rows.push_back(row);
  }
  const ScoreModel model = fit_score_model(rows, good);
  CHECK(model.weight[3] == Approx(8).margin(1));
  CHECK(std::abs(model.weight[4]) < .7);
  CHECK(model.weight[0] == 0);
  FeatureRow low;
  low.fill(std::nan(""));
  CHECK(model.worst(low) == -1);
  low[3] = .1;
  CHECK(model.worst(low) == 3);
  CHECK(model.score(low) < .1);
  CHECK_THROWS_AS(fit_score_model(rows, std::vector<char>(2000, 1)), Error);
}
