// Whether quantised products use the instructions that multiply and add bytes (VNNI: vpdpbusd).
#pragma once

namespace athanor::cpu {

// True where the selected instruction set has them on this processor (AVX512-VNNI beside AVX-512,
// AVX-VNNI beside AVX2), unless ATHANOR_VNNI=0 (docs/env_vars.md) or set_vnni(false). Weights are
// packed for one or the other and keep working when this changes; results have the same bits.
bool vnni();
// For tests: false leaves vpdpbusd out from now on.
void set_vnni(bool on);

}  // namespace athanor::cpu
