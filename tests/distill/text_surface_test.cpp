// Feature 8: what a text's surface says, alone and among the others.
#include <catch2/catch.hpp>
#include <numeric>
#include <string>

#include "distill/refine/text_endings.h"
#include "distill/refine/text_surface.h"
#include "distill/refine/text_units.h"
#include "distill/refine/token_rows.h"

using namespace athanor;
using namespace athanor::distill;

TEST_CASE("surface checks name what is wrong with a text", "[surface]") {
  const auto faults = [](std::string_view text) {
    Words words;
    split_words(normalised(text), words);
    return check_text(text, words);
  };
  const auto has = [](const TextSurface& s, TextFault fault) { return s.has(fault); };
  CHECK(faults("A plain sentence, nothing more.").faults == 0);
  CHECK(faults("Ok lar... Joking wif u oni...").faults == 0);
  CHECK(faults("\xe8\xbf\x99\xe6\x98\xaf\xe4\xb8\xad\xe6\x96\x87").faults == 0);
  CHECK(has(faults("?!"), TextFault::empty));
  CHECK(has(faults("buy buy buy buy buy buy buy now or"), TextFault::repeated_words));
  CHECK(has(faults("a b c d e f g h"), TextFault::word_length));
  CHECK(has(faults("x=$%&/()!?;:,.-"), TextFault::symbols));
  CHECK(has(faults("one\ntwo\none\none\none"), TextFault::repeated_lines));
  CHECK(has(faults(std::string("ab\x01\x02 cd")), TextFault::control));
  CHECK(faults("?!").share() < 1);
}

TEST_CASE("a text that was cut off ends as others do not end", "[surface]") {
  TextArena texts;
  const std::string subjects[] = {"cat", "dog", "fox", "owl"}, places[] = {"mat", "moon", "hill"};
  for (int i = 0; i < 60; ++i) {
    texts.add("the " + subjects[i % 4] + " looked at the " + places[i % 3]);
  }
  texts.add("the cat looked at the");  // 60
  texts.add("the cat looked at the zebra");
  texts.add("hill");
  texts.add("");
  const auto odds = [](const TextArena& texts, std::span<const char> usual) {
    std::vector<LastWords> last;
    for (std::int64_t i = 0; i < texts.size(); ++i) {
      Words words;
      split_words(texts[i], words);
      last.push_back(check_text(texts[i], words).last);
    }
    return ending_log_odds(tokens_of(texts), last, usual);
  };
  const std::vector<char> all(64, 1);
  const std::vector<float> ending = odds(texts, all);
  for (int i = 0; i < 60; ++i) CHECK(ending[i] > 1);
  CHECK(ending[60] < -2);
  CHECK(ending[61] == Approx(0).margin(1e-5));  // nobody else says it; its own text does not count
  CHECK(ending[62] > 0);
  CHECK(ending[63] == 0);
  // The one that was cut off may not say what is usual; it is judged all the same.
  std::vector<char> usual(all);
  usual[60] = 0;
  CHECK(odds(texts, usual)[60] < -2);
  TextArena words;
  for (int i = 0; i < 60; ++i) words.add(subjects[i % 4]);
  for (const float value : odds(words, std::vector<char>(60, 1))) CHECK(value == 0);
  // What a text that was cut off loses: part of one check.
  std::vector<TextSurface> surface(64);
  for (TextSurface& s : surface) s.applied = 4;
  check_endings(ending, surface);
  CHECK(surface[0].share() == 1);
  CHECK(surface[60].share() < .95);
  CHECK(surface[60].share() > .5);
  CHECK(surface[60].faults == 0);
}

TEST_CASE("how unlikely a text is counts by degree, among texts of its length", "[surface]") {
  // Short texts: median 1.1, median absolute deviation .2; long ones: 1 and .1.
  std::vector<double> nll;
  std::vector<std::int64_t> length;
  for (const bool longer : {false, true}) {
    const double middle = longer ? 1 : 1.1, step = longer ? .1 : .2;
    for (const double value : {-step, 0., step}) nll.insert(nll.end(), 20, middle + value);
    for (const double z : {1.9, 3.5, 4.9, 5.1, 6.5, 9.}) {
      nll.push_back(middle + z * 1.4826 * step);
    }
    length.resize(nll.size(), longer ? 100 : 10);
  }
  std::vector<TextSurface> surface(nll.size());
  for (TextSurface& s : surface) {
    for (int k = 0; k < 3; ++k) s.check(TextFault::empty, false);
  }
  check_corpus(nll, length, std::vector<char>(nll.size(), 1), surface);
  for (const int first : {0, 66}) {
    CHECK(surface[first].share() == 1);
    // Failed checks of four, the degree kept to 255ths.
    const double expected[] = {0, .5, 2.9 / 3, 1 + .1 / 3, 1.5, 2};
    for (int k = 0; k < 6; ++k) {
      const TextSurface& s = surface[first + 60 + k];
      CHECK(4 * (1 - s.share()) == Approx(expected[k]).margin(.005));
      CHECK(s.has(TextFault::unlikely) == (k >= 3));
    }
  }
}

TEST_CASE("one text that stands there often is not what short texts are like", "[surface]") {
  // 100 short texts and 400 long ones of their own, and among the short ones 150 times the same.
  std::vector<double> nll;
  std::vector<std::int64_t> length, group;
  for (int i = 0; i < 500; ++i) {
    nll.push_back(1.6 + .05 * (i % 5 - 2));
    length.push_back(i < 100 ? 20 : 200);
  }
  nll.resize(650, .7);
  length.resize(650, 20);
  for (std::int64_t i = 0; i < 650; ++i) group.push_back(std::min<std::int64_t>(i, 500));
  std::vector<std::int32_t> missing(650, -1);
  const auto unlikely = [&] {
    const std::vector<char> usual = usual_texts(missing, group);
    std::vector<TextSurface> surface(650);
    check_corpus(nll, length, usual, surface);
    std::int64_t failed = 0;
    for (const TextSurface& s : surface) {
      failed += s.has(TextFault::unlikely);
      CHECK(s.applied == 1);
    }
    return std::pair(failed, std::count(usual.begin(), usual.end(), 1));
  };
  CHECK(unlikely() == std::pair<std::int64_t, std::int64_t>(0, 504));
  // The same where the text is known to say nothing, and each record is a group of its own.
  std::iota(group.begin(), group.end(), std::int64_t{0});
  std::fill(missing.begin() + 500, missing.end(), 0);
  CHECK(unlikely() == std::pair<std::int64_t, std::int64_t>(0, 500));
  // Were they to count, all other short texts would be unlikely.
  std::fill(missing.begin(), missing.end(), -1);
  CHECK(unlikely().first == 100);
}
