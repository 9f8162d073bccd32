#include "distill/control/compensation.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tensor/base/error.h"
#include "tensor/random.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

struct Feed {
  Compensation compensation;
  Generator generator{5};

  explicit Feed(const CompensationOptions& options = {}) : compensation(options) {
    for (int i = 0; i < options.warm_up; ++i) check();
  }
  // One check with terms of very different units, shifted by so many standard deviations each.
  CompensationReading check(double a = 0, double b = 0, double c = 0) {
    return compensation.check(50 + 5 * (a + generator.next_normal()),
                              1e-3 + 1e-4 * (b + generator.next_normal()),
                              0.5 + 0.05 * (c + generator.next_normal()));
  }
};

}  // namespace

TEST_CASE("the dominant term decides the action", "[compensation]") {
  const Symptom symptoms[] = {Symptom::gradient_norm, Symptom::loss_variance,
                              Symptom::activation_sparsity};
  for (Symptom symptom : symptoms) {
    Feed feed;
    const auto at = [&](Symptom s) { return s == symptom ? 20.0 : 0.0; };
    CompensationReading reading;
    for (int i = 0; i < 3; ++i) {
      CHECK_FALSE(reading.alarm);
      reading = feed.check(at(symptoms[0]), at(symptoms[1]), at(symptoms[2]));
    }
    CHECK(reading.alarm);
    CHECK(reading.change == AlarmChange::raised);
    CHECK(reading.dominant == symptom);
    const CompensationActions actions = feed.compensation.actions();
    CHECK(actions.lr_factor == (symptom == Symptom::gradient_norm ? Approx(0.7) : Approx(1)));
    CHECK(actions.teacher_every_step == (symptom == Symptom::loss_variance));
    CHECK(actions.adversarial_share == (symptom == Symptom::activation_sparsity ? 0.1 : 0.0));
  }
}

TEST_CASE("an oscillating input makes one alarm", "[compensation]") {
  Feed feed;
  for (int i = 0; i < 400; ++i) feed.check(i % 8 < 4 ? 20 : 0);
  CHECK(feed.compensation.report().alarms == 1);
}

TEST_CASE("an alarm is cleared after quiet checks, and a cool-down follows", "[compensation]") {
  CompensationOptions options;
  options.cool_down = 10;
  Feed feed(options);
  for (int i = 0; i < 3; ++i) feed.check(20);
  int quiet = 0;
  CompensationReading reading;
  do {
    reading = feed.check(-20);
    ++quiet;
  } while (reading.change != AlarmChange::cleared);
  CHECK(quiet == options.clear_checks);
  CHECK_FALSE(reading.alarm);
  CHECK(reading.dominant == Symptom::gradient_norm);  // of the alarm that ended
  CHECK(feed.compensation.actions().lr_factor == 1);
  int loud = 0;
  do {
    reading = feed.check(20);
    ++loud;
  } while (reading.change != AlarmChange::raised);
  CHECK(loud == options.cool_down + options.raise_checks);
  CHECK(feed.compensation.actions().lr_factor == Approx(0.7));
}

TEST_CASE("two loud checks, quiet data and broken values raise nothing", "[compensation]") {
  Feed feed;
  for (int i = 0; i < 100; ++i) {
    feed.check(20);
    feed.check(20);
    feed.check(-20);
    feed.compensation.check(std::nan(""), 0, 0);
  }
  CHECK(feed.compensation.report().alarms == 0);
}

TEST_CASE("the raw sum is deaf to the small terms", "[compensation]") {
  CompensationOptions options;
  options.seed_exact = true;
  Feed feed(options);
  for (int i = 0; i < 50; ++i) feed.check(-3, 20, 0);
  CHECK(feed.compensation.report().alarms == 0);
  CompensationReading reading;
  for (int i = 0; i < 3; ++i) reading = feed.check(10);
  CHECK(reading.alarm);
  CHECK(reading.delta_l == Approx(100.5).margin(25));  // 50 + 10 * 5 + 0.5, +- 5 sigma
}

TEST_CASE("without actions alarms are still counted", "[compensation]") {
  CompensationOptions options;
  options.act = false;
  Feed feed(options);
  for (int i = 0; i < 10; ++i) feed.check(20);
  CHECK(feed.compensation.report().alarms == 1);
  CHECK(feed.compensation.actions().lr_factor == 1);
}

TEST_CASE("a constant term does not divide by zero", "[compensation]") {
  Compensation compensation;
  Generator generator(3);
  for (int i = 0; i < 200; ++i) {
    const CompensationReading reading = compensation.check(1 + 0.1 * generator.next_normal(), 0, 0);
    CHECK(std::isfinite(reading.delta_l));
  }
}

TEST_CASE("senseless compensation options are usage errors", "[compensation]") {
  CompensationOptions options;
  options.weights = {0, 0, 0};
  CHECK_THROWS_AS(Compensation(options), Error);
}

TEST_CASE("checks before the schedule settles are no part of the threshold", "[compensation]") {
  CompensationOptions options;
  options.settle = 30;
  Compensation compensation(options);
  Generator generator(5);
  for (int i = 0; i < 30; ++i) {
    CHECK(compensation.check(1000 + i, 0, 0).threshold == 0);
  }
  CompensationReading reading;
  for (int i = 0; i < options.warm_up + 1; ++i) {
    reading = compensation.check(1 + 0.1 * generator.next_uniform(), 0, 0);
  }
  CHECK(reading.threshold > 0);
  CHECK(reading.threshold < 10);
}
