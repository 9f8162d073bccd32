// The command `athanor`.
#include "cli/run.h"

int main(int argc, char** argv) { return athanor::cli::run(argc, argv); }
