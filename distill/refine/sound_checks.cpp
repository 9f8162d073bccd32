#include "distill/refine/sound_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "distill/refine/usual_share.h"

namespace athanor::distill {
namespace {

constexpr float kLongestGap = 1.f / 3, kFlattest = .6f;

struct Check {
  LookFault fault;
  const char* name;
  bool (*bad)(const Look&);
};
constexpr Check kChecks[] = {
    {LookFault::silent_part, "silence inside",
     [](const Look& look) { return look.gap >= kLongestGap; }},
    {LookFault::noise_sound, "noise", [](const Look& look) { return look.flatness > kFlattest; }},
};

}  // namespace

std::string check_sounds(std::vector<Look>& looks) {
  const auto is_there = [](const Look& look) { return look.there; };
  const std::int64_t sounds = std::count_if(looks.begin(), looks.end(), is_there);
  if (sounds < kLeastOfKind) {
    return fmt::format(
        "the sounds are not checked for silence inside and noise: expected at "
        "least {} of them, found {}",
        kLeastOfKind, sounds);
  }
  std::string note;
  for (const Check& check : kChecks) {
    const std::int64_t bad = std::count_if(looks.begin(), looks.end(), [&](const Look& look) {
      return look.there && check.bad(look);
    });
    const bool usual = are_share(sounds - bad, sounds, kUsualShare);
    if (!note.empty()) note += "; ";
    note += usual ? fmt::format("{} sounds are checked for {}: {} have it", sounds, check.name, bad)
                  : fmt::format("the sounds are not checked for {}: expected 80% without, found {}",
                                check.name, percent(sounds - bad, sounds));
    for (Look& look : looks) {
      if (!usual || !look.there) continue;
      ++look.applied;
      look.failed += check.bad(look);
      if (check.bad(look) && look.fault == LookFault::none) look.fault = check.fault;
    }
  }
  return note;
}

}  // namespace athanor::distill
