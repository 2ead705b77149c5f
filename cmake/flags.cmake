# How every file is compiled.

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, Release, RelWithDebInfo" FORCE)
endif()

# Assertions stay on in every build.
foreach(type DEBUG RELEASE RELWITHDEBINFO MINSIZEREL)
    string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}")
endforeach()

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

include_directories(${CMAKE_SOURCE_DIR})
add_compile_definitions(_GNU_SOURCE TALLY_VERSION="${PROJECT_VERSION}")
add_compile_options(
    -Wall -Wextra -Wshadow -Wconversion -Wpedantic -Wstrict-prototypes -Wmissing-prototypes
    # __FILE__ in an error's source reads "store/ledger.c", wherever the tree lies.
    -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=)

if(TALLY_WERROR)
    add_compile_options(-Werror)
endif()

if(TALLY_LTO)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    if(CMAKE_C_COMPILER_ID STREQUAL GNU)
        # With machine code beside, so that tests are linked without optimising it all anew.
        set(CMAKE_C_COMPILE_OPTIONS_IPO -flto=auto -ffat-lto-objects)
    endif()
endif()

if(TALLY_SANITIZE)
    # Instrumented expressions make gcc see conversions that the source does not have.
    add_compile_options(-fsanitize=${TALLY_SANITIZE} -fno-sanitize-recover=all
        -fno-omit-frame-pointer -Wno-conversion)
    add_link_options(-fsanitize=${TALLY_SANITIZE})
endif()

if(TALLY_COVERAGE)
    add_compile_options(--coverage -fprofile-update=atomic)
    add_link_options(--coverage)
endif()

if(TALLY_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
