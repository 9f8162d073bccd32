// The command `athanor` as a function, for programs that add models, data sets and losses to it.
#pragma once

#include <map>
#include <string>

#include "data/image_data_registry.h"
#include "distill/losses/loss_registry.h"
#include "nn/model_registry.h"

namespace athanor::cli {

// What a program adds, by the names that recipes use: student.model and teacher.model, data.format,
// loss.NAME. Every command, recipe key, model file and report then knows them.
struct Registry {
  std::map<std::string, nn::ModelMaker> models;
  std::map<std::string, data::ImageDataReader> data;
  std::map<std::string, distill::LossFunction> losses;
};

// Runs the command line and returns the exit code (docs/cli.md). It may start the process once more
// with other settings of the thread library, so call it first in main().
int run(int argc, char** argv, const Registry& registry = {});

}  // namespace athanor::cli
