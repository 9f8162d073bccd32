// What a program adds to the command line of `athanor`: models, data sets and losses of its own.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/image_formats.h"
#include "distill/losses/guidance.h"
#include "nn/models.h"

namespace athanor::cli {

// Filled before run(); every command, recipe key and report then knows the names.
struct Registry {
  // student.model and teacher.model: what stands before the last linear layer.
  std::vector<std::pair<std::string, nn::MakeBody>> models;
  // data.format: images with classes, from wherever the program has them.
  std::vector<std::pair<std::string, data::LoadImages>> images;
  // loss.distance: what pulls the three-stage student to its teacher.
  std::vector<std::pair<std::string, distill::GuidanceLoss>> losses;
};

}  // namespace athanor::cli
