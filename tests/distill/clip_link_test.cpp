#include "distill/control/clip_link.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "tensor/base/error.h"
#include "tensor/random.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

// Norms around 1 as a training run gives them.
double ordinary(Generator& generator) { return 1 + 0.1 * generator.next_normal(); }

}  // namespace

TEST_CASE("a spike of 100 is clipped to the level and leaves no trace in it", "[clip_link]") {
  ClipLinkOptions options;
  options.link = false;
  ClipLink clip(options);
  Generator generator(1);
  for (int i = 0; i < 300; ++i) clip.step(ordinary(generator));
  const double before = clip.step(1).level;
  CHECK(before > 1.1);
  CHECK(before < 1.6);
  const ClipDecision spike = clip.step(100);
  CHECK(spike.clipped);
  CHECK(spike.scale == Approx(spike.level / 100));
  CHECK(spike.level < 1.6);
  const ClipDecision after = clip.step(1);
  CHECK(after.level == Approx(spike.level).epsilon(0.01));  // one ordinary value was added
  CHECK_FALSE(after.clipped);
  CHECK(after.scale == 1);
}

TEST_CASE("nan and infinity skip the step and touch no average", "[clip_link]") {
  ClipLink clip, twin;
  Generator a(2), b(2);
  for (int i = 0; i < 100; ++i) {
    clip.step(ordinary(a));
    twin.step(ordinary(b));
    for (double broken : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      const ClipDecision decision = clip.step(broken);
      CHECK(decision.skip);
      CHECK(decision.scale == 0);
    }
  }
  const ClipDecision one = clip.step(1), two = twin.step(1);
  CHECK(one.level == two.level);
  CHECK(one.clip_rate == two.clip_rate);
  CHECK(clip.report().skipped == 200);
  CHECK(clip.report().clip_rate == twin.report().clip_rate);
}

TEST_CASE("a high clip rate lowers the rate with a cool-down, a low one restores it",
          "[clip_link]") {
  ClipLink clip;
  for (int i = 0; i < 50; ++i) clip.step(1);
  // Every second norm is beyond the level, but no spike: the clip rate tends to one half.
  int changes = 0, last = -1000;
  double factor = 1;
  for (int i = 0; i < 140; ++i) {
    const ClipDecision decision = clip.step(i % 2 ? 1.0 : 1.7);
    if (decision.change == RateChange::none) continue;
    CHECK(decision.change == RateChange::down);
    CHECK(decision.lr_factor == Approx(factor * 0.7));
    CHECK(i - last > 50);
    factor = decision.lr_factor;
    last = i;
    ++changes;
  }
  CHECK(changes >= 1);
  CHECK(clip.report().lowered == changes);
  for (int i = 0; i < 20000; ++i) {
    const ClipDecision decision = clip.step(1);
    CHECK(decision.lr_factor <= 1);
    if (decision.change != RateChange::none) CHECK(decision.change == RateChange::up);
    factor = decision.lr_factor;
  }
  CHECK(factor == 1);  // back at the schedule, never above it
}

TEST_CASE("a lasting change of scale restarts the statistics", "[clip_link]") {
  ClipLinkOptions options;
  options.link = false;
  ClipLink clip(options);
  for (int i = 0; i < 100; ++i) clip.step(1);
  int clipped = 0;
  for (int i = 0; i < 200; ++i) clipped += clip.step(1000).clipped;
  CHECK(clipped == options.spike_restart);
  CHECK(clip.step(1000).level > 1000);
}

TEST_CASE("senseless clip options are usage errors", "[clip_link]") {
  ClipLinkOptions options;
  options.lr_down = 1.2;
  CHECK_THROWS_AS(ClipLink(options), Error);
}
