"""What becomes of memory that is freed: kept for what comes next, or given back to the system."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MOST_BYTES = 1 << 30
# Beyond this, older ones (of Ubuntu 20.04, say) refuse the threshold from which memory is mapped.
_MOST_MAPPED_BYTES = 1 << 25


def keep_freed_memory() -> bool:
    """Have this process keep what it frees for what it needs next, where the allocator can (glibc).

    By default a forward pass over a long clip returns its larger tensors to the system again and
    again and gets them back page by page, which takes some 5 % of its time. For processes that
    detect and end; one that stays would hold on to the most it ever needed.

    Returns: whether the allocator took it.
    """
    if sys.platform != "linux":
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    # First, since the other alone would fix this one at its start of 128 kB, and lose more than is won.
    if not any(set_option(_MMAP_THRESHOLD, ctypes.c_int(size)) for size in (_MOST_BYTES, _MOST_MAPPED_BYTES)):
        return False
    return bool(set_option(_TRIM_THRESHOLD, ctypes.c_int(_MOST_BYTES)))


def give_back_freed_memory() -> None:
    """Hand free pages back to the system, where the allocator knows how (glibc).

    It keeps them in pieces of the sizes that one batch needed, and the next needs others.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
