// base/cpu.h - which code of several the processor at hand runs.
#ifndef BASE_CPU_H
#define BASE_CPU_H

enum cpu_level {
    CPU_ANY,
    CPU_V3, // x86-64-v3: AVX2, BMI2
    CPU_V4, // x86-64-v4 with VBMI and VBMI2: AVX-512
};

static inline enum cpu_level cpu_level(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) {
        return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi") &&
                       __builtin_cpu_supports("avx512vbmi2")
                   ? CPU_V4
                   : CPU_V3;
    }
#endif
    return CPU_ANY;
}

#endif
