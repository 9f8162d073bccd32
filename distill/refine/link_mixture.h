// Which candidate pairs are the same thing, decided by the pairs themselves: no threshold is given.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace athanor::distill {

// `similarity` is row-major [pairs, fields] in [0, 1], NaN where a field cannot be compared.
// Returns each pair's P(match) under the model of Fellegi & Sunter (1969): levels of similarity
// that are independent between fields given match or not, their frequencies estimated by EM
// (Winkler 1988). EM starts from what every comparison assumes: few pairs match, and those agree
// more.
std::vector<double> match_posteriors(std::span<const float> similarity, std::int64_t fields);

// The posterior from which on pairs are to be linked for the greatest expected F1, if posteriors
// are right: a cut of k pairs has expected F1 2 sum of the k largest / (k + sum of all). 1 for no
// pair.
double best_expected_f1_cut(std::span<const double> posterior);

}  // namespace athanor::distill
