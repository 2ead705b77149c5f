#include "ingest/split.h"

#if defined(SPLIT_FOR_ARM)

const struct split_code *const *split_codes(void)
{
    static const struct split_code *const neon[] = {&split_code_portable, &split_code_neon, NULL};

    return neon;
}

#else

const struct split_code *const *split_codes(void)
{
    static const struct split_code *const portable[] = {&split_code_portable, NULL};
#ifdef SPLIT_FOR_X86
    static const struct split_code *const v3[] = {&split_code_portable, &split_code_v3, NULL};
    static const struct split_code *const v4[] = {&split_code_portable, &split_code_v3,
                                                  &split_code_v4, NULL};

    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
        __builtin_cpu_supports("pclmul")) {
        return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2") ? v4
                                                                                           : v3;
    }
#endif
    return portable;
}

#endif

const struct split_code *split_code(void)
{
    const struct split_code *const *code = split_codes();

    while (code[1]) {
        code++;
    }
    return *code;
}
