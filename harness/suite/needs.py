"""What a test needs of the machine, as marks: where it is missing, the test is skipped and says so. Each is tried, not
taken from a setting."""

from __future__ import annotations

import pytest

from suite import kernel, sanitizers, servers, strace


def _unless(missing: str | None) -> pytest.MarkDecorator:
    return pytest.mark.skipif(missing is not None, reason=str(missing))


OTHER_NAMES = "the programs are of 32 bits: their calls have other names, fcntl64 and socketcall among them"
to_trace = _unless(strace.NO_TRACE or (OTHER_NAMES if servers.of_32_bits() else None))
ipv6 = _unless(kernel.NO_IPV6)
true_memory = _unless("a sanitizer pads and keeps memory, and reserves much" if servers.sanitizer() else None)
leak_check = _unless(sanitizers.NO_LEAK_CHECK if servers.sanitizer() == "asan" else "built without AddressSanitizer")


def descriptors(count: int) -> pytest.MarkDecorator:
    """So many open at once, in this process or in a server."""
    limit = kernel.raise_descriptor_limit()
    return _unless(f"needs a descriptor limit of {count}, it is {limit}" if limit < count else None)
