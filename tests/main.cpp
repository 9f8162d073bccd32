#include "tests/catch_session.h"

int main(int argc, char** argv) { return athanor::test::run_catch(argc, argv); }
