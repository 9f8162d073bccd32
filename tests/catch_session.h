#pragma once

namespace athanor::test {

// Runs the test cases of the program as its command line says; the exit code. Apart from main(),
// since Catch2's session takes long to compile.
int run_catch(int argc, char** argv);

}  // namespace athanor::test
