// How fast a CPU with AVX512-BF16 is at it.
#pragma once

namespace athanor::cpu {

// The time of a bf16 dot product instruction (32 products, VDPBF16PS) in units of that of an f32
// multiply-add instruction (16 products), each in independent chains on registers: the least of
// several runs, together some 50 microseconds. Below 2 it does more products a second. Call it
// only where the CPU has both.
double bf16_instruction_time();

}  // namespace athanor::cpu
