/* Where libFuzzer comes in. FUZZ_TARGET names the target that it is linked with. */
#include "targets.h"

#ifndef FUZZ_TARGET
#define FUZZ_TARGET connection_target
#endif

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    return FUZZ_TARGET(bytes, size);
}
