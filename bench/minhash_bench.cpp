// MinHash alone, for comparing it with other programs (bench/peers/refine_peers.py): reads one text
// a line, prints CPU seconds of signing (normalising, 5-grams, 128 permutations, band keys) and of
// finding the candidate pairs.
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "distill/refine/minhash.h"
#include "distill/refine/text_units.h"

namespace {

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: minhash_bench TEXTS\n");
    return 2;
  }
  using namespace athanor::distill;
  std::ifstream file(argv[1], std::ios::binary);
  std::vector<std::string> texts;
  for (std::string line; std::getline(file, line);) texts.push_back(line);
  if (texts.empty()) {
    std::fprintf(stderr, "minhash_bench: expected texts in %s, found none\n", argv[1]);
    return 3;
  }
  const double begun = cpu_seconds();
  std::vector<BandKeys> keys;
  keys.reserve(texts.size());
  std::vector<std::uint32_t> grams;
  for (const std::string& text : texts) {
    hash_grams(normalised(text), grams);
    keys.push_back(band_keys(minhash_signature(grams)));
  }
  const double signed_at = cpu_seconds();
  long long pairs = 0;
  for_each_candidate(keys, std::vector<char>(texts.size()),
                     [&](std::int64_t, std::int64_t) { ++pairs; });
  const double signing = signed_at - begun;
  std::printf(
      "{\"records\": %zu, \"signing_seconds\": %.4f, \"candidate_seconds\": %.4f, "
      "\"candidate_pairs\": %lld, \"minhash_records_per_second\": %.0f}\n",
      texts.size(), signing, cpu_seconds() - signed_at, pairs,
      static_cast<double>(texts.size()) / (signing > 1e-6 ? signing : 1e-6));
}
