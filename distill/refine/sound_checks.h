// Checks of sounds that hold for sets of one kind alone: recordings of speech, not of rain.
#pragma once

#include <string>
#include <vector>

#include "distill/refine/look.h"

namespace athanor::distill {

// Marks sounds with a stretch of digital silence inside of at least a third of their time
// (LookFault::silent_part) and those with a spectrum as flat as noise, above 0.6 (noise_sound),
// each where there are at least 50 sounds and 80% of them have none. Returns what was checked and
// why, for a person.
std::string check_sounds(std::vector<Look>& looks);

}  // namespace athanor::distill
