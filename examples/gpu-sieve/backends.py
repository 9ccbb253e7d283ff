"""Ways to run the sieve on a GPU. Each backend takes a range of seeds and returns those that yield the observed draws."""

import ctypes
import os
import struct
from typing import Any, Callable, Dict, List

from driver import Driver, DriverError, find_driver
from generator import MASK, MODULUS

FOLDER = os.path.dirname(os.path.abspath(__file__))
BLOCKS, THREADS = 4096, 256
CAPACITY = 1 << 16  # hits of one launch

# Finds the hits among `count` seeds from `start` on: search(start, count, skip, observed).
Search = Callable[[int, int, int, List[int]], List[int]]


class Unavailable(Exception):
    """What this machine lacks for a backend."""


def read_file(name: str) -> bytes:
    path = os.path.join(FOLDER, name)
    if not os.path.exists(path):
        raise Unavailable(name + " was not built")
    with open(path, "rb") as file:
        return file.read()


def check_count(found: int) -> int:
    if found > CAPACITY:
        raise SystemExit("{} hits in one launch; observe more draws".format(found))
    return found


def open_driver() -> Driver:
    try:
        driver = find_driver()
        driver.open()
    except DriverError as error:
        raise Unavailable(str(error))
    return driver


def search_by_driver(driver: Driver, image: bytes) -> Search:
    """Runs the kernel of a compiled module through the driver alone."""
    try:
        kernel = driver.kernel(image, "sieve")
    except DriverError as error:
        raise Unavailable("the driver does not load the kernel: {}".format(error))
    places = [driver.alloc(size) for size in (4 * 64, 4, 8 * CAPACITY)]
    observed_at, found_at, hits_at = places

    def search(start: int, count: int, skip: int, observed: List[int]) -> List[int]:
        driver.write(observed_at, struct.pack("{}I".format(len(observed)), *observed))
        driver.write(found_at, bytes(4))
        long, word = ctypes.c_ulonglong, ctypes.c_uint
        words = [long(start), long(count), word(skip), observed_at, word(len(observed)), found_at, hits_at, word(CAPACITY)]
        driver.launch(kernel, BLOCKS, THREADS, words)
        driver.synchronize()
        found = check_count(struct.unpack("I", driver.read(found_at, 4))[0])
        return list(struct.unpack("{}Q".format(found), driver.read(hits_at, 8 * found))) if found else []

    return search


def open_cupy() -> Search:
    try:
        import cupy  # type: ignore
    except ImportError as error:
        raise Unavailable(str(error))
    kernel: Any = cupy.RawKernel(read_file("kernel.cu").decode(), "sieve")
    try:
        kernel.compile()
    except Exception as error:  # it finds no card or no compiler, and has many errors for that
        raise Unavailable("CuPy: {}".format(error))

    def search(start: int, count: int, skip: int, observed: List[int]) -> List[int]:
        values = cupy.asarray(observed, dtype=cupy.uint32)
        found, hits = cupy.zeros(1, dtype=cupy.uint32), cupy.zeros(CAPACITY, dtype=cupy.uint64)
        word, long = cupy.uint32, cupy.uint64
        words = (long(start), long(count), word(skip), values, word(len(observed)), found, hits, word(CAPACITY))
        kernel((BLOCKS,), (THREADS,), words)
        return [int(seed) for seed in hits[: check_count(int(found[0]))].get()]

    return search


def open_built() -> Search:
    """What build.sh made with nvcc or hipcc."""
    driver = open_driver()
    return search_by_driver(driver, read_file("built/sieve.fatbin" if driver.vendor == "nvidia" else "built/sieve.co"))


def open_compiled() -> Search:
    """Without a compiler on the node: the driver itself compiles PTX for NVIDIA, and its library hiprtc the source for AMD."""
    driver = open_driver()
    try:
        image = read_file("sieve.ptx") if driver.vendor == "nvidia" else driver.compile(read_file("kernel.cu"))
    except DriverError as error:
        raise Unavailable(str(error))
    return search_by_driver(driver, image)


def open_torch() -> Search:
    """The same arithmetic on tensors: no kernel of our own, but several passes over the memory."""
    try:
        import torch  # type: ignore
    except ImportError as error:
        raise Unavailable(str(error))
    if not torch.cuda.is_available():
        raise Unavailable("PyTorch finds no GPU")
    try:
        torch.arange(2, device="cuda").tolist()
    except RuntimeError as error:  # it was not built for this card
        raise Unavailable("PyTorch: {}".format(error))

    def draw(state: Any) -> Any:
        """The next states and values; products wrap at 2^64, of which 48 bits are kept."""
        state = (state * 0x5DEECE66D + 0xB) & MASK
        bits = state >> 17
        value = bits % MODULUS
        again = bits - value + (MODULUS - 1) >= 1 << 31
        if bool(again.any()):
            later, other = draw(state[again])
            state[again], value[again] = later, other
        return state, value

    def search(start: int, count: int, skip: int, observed: List[int]) -> List[int]:
        hits: List[int] = []
        step = 1 << 22
        for first in range(start, start + count, step):
            seeds = torch.arange(first, min(first + step, start + count), dtype=torch.int64, device="cuda")
            state = (seeds ^ 0x5DEECE66D) & MASK
            for _ in range(skip):
                state, _value = draw(state)
            for wanted in observed:
                state, value = draw(state)
                same = value == wanted
                seeds, state = seeds[same], state[same]
            hits += seeds.tolist()
        return hits

    return search


# In the order in which they are tried.
BACKENDS: Dict[str, Callable[[], Search]] = {"cupy": open_cupy, "built": open_built, "torch": open_torch, "driver": open_compiled}
