// Sounds of one kind, and copies of short sounds.
#include "distill/refine/sound_checks.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "distill/refine/record_copies.h"
#include "distill/refine/sound_defects.h"
#include "tensor/random.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

// A tone of changing pitch and loudness that fades in and out, 0.3 to 0.5 s at 8 kHz.
data::Sound chirp(Generator& random) {
  const std::int64_t frames = 2400 + random.next_below(1600);
  data::Sound sound{empty({1, frames}), 8000};
  const double from = 200 + 1500 * random.next_uniform(), to = 200 + 1500 * random.next_uniform();
  const double beats = 1 + 3 * random.next_uniform();
  double turns = 0;
  for (std::int64_t i = 0; i < frames; ++i) {
    const double t = double(i) / double(frames);
    turns += (from + (to - from) * t) / 8000;
    const double beat = .6 + .4 * std::sin(6.283 * beats * t);
    const double level = .1 * beat * (1 - std::cos(6.283 * t));
    sound.samples.data<float>()[i] =
        static_cast<float>(level * std::sin(6.283 * turns) + .0005 * random.next_normal());
  }
  return sound;
}
std::vector<Look> looks_of(int count, const std::function<data::Sound(int)>& make) {
  std::vector<Look> looks;
  for (int i = 0; i < count; ++i) looks.push_back(look_at(make(i)));
  return looks;
}
std::int64_t with(const std::vector<Look>& looks, LookFault fault) {
  return std::count_if(looks.begin(), looks.end(),
                       [&](const Look& look) { return look.fault == fault; });
}

}  // namespace

TEST_CASE("silence inside and noise are faults where most sounds have none", "[sound_checks]") {
  Generator random(21);
  const auto spoiled = [&](int i, int silent, int noisy) {
    data::Sound sound = chirp(random);
    if (i < silent) silence_part(sound, random);
    if (i >= 60 - noisy) add_sound_noise(sound, 2, random);
    return sound;
  };
  std::vector<Look> looks = looks_of(60, [&](int i) { return spoiled(i, 6, 5); });
  std::string note = check_sounds(looks);
  CHECK(note ==
        "60 sounds are checked for silence inside: 6 have it; 60 sounds are checked for "
        "noise: 5 have it");
  for (int i = 0; i < 60; ++i) {
    const LookFault expected = i < 6     ? LookFault::silent_part
                               : i >= 55 ? LookFault::noise_sound
                                         : LookFault::none;
    CHECK(looks[i].fault == expected);
    CHECK(looks[i].applied == 5);
    CHECK(looks[i].failed == (expected == LookFault::none ? 0 : 1));
  }

  looks = looks_of(60, [&](int i) { return spoiled(i, 6, 30); });
  note = check_sounds(looks);
  INFO(note);
  CHECK(note.find("not checked for noise: expected 80% without, found 50%") != note.npos);
  CHECK(with(looks, LookFault::silent_part) == 6);
  CHECK(with(looks, LookFault::noise_sound) == 0);
  CHECK(looks[59].applied == 4);

  looks = looks_of(49, [&](int i) { return spoiled(i, 6, 0); });
  CHECK(check_sounds(looks) ==
        "the sounds are not checked for silence inside and noise: expected "
        "at least 50 of them, found 49");
  CHECK(with(looks, LookFault::none) == 49);

  // Silence before and after is none inside.
  data::Sound late = chirp(random);
  std::fill_n(late.samples.data<float>(), late.samples.numel() / 2, 0.f);
  CHECK(look_at(late).gap < .01);
}

TEST_CASE("short sounds that begin a little earlier or later, louder or softer, are near copies",
          "[sound_checks]") {
  Generator random(22);
  TableRecords records;
  const int n = 40;
  for (int i = 0; i < 3 * n; ++i) {
    if (i < n) {
      records.media.sounds.push_back(look_at(chirp(random)));
      continue;
    }
    Generator same(22);
    data::Sound sound;
    for (int k = 0; k <= i % n; ++k) sound = chirp(same);
    Generator change(static_cast<std::uint64_t>(i));
    shift_and_scale(sound, change);
    records.media.sounds.push_back(look_at(sound));
  }
  records.content.resize(3 * n);
  for (int i = 0; i < 3 * n; ++i) records.content[i] = content_hash(&i, sizeof i);
  records.missing.assign(3 * n, -1);
  const DuplicateGroups groups = find_copies(records, .8, {});
  int found = 0;
  for (int i = 0; i < n; ++i) CHECK(groups.group[i] == i);
  for (int i = n; i < 3 * n; ++i) found += groups.group[i] == i % n;
  CHECK(found >= 2 * n * 95 / 100);
}
