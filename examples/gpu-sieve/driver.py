"""The drivers of NVIDIA's and AMD's GPUs, called through ctypes: memory, and kernels. It needs no package, only the driver itself."""

import ctypes
import glob
import os
import uuid
from typing import Any, Dict, List, Sequence

# What each function is called in the vendor's library. CUDA's `_v2` are the 64-bit forms.
CUDA = {
    "library": ["libcuda.so.1", "/usr/local/nvidia/lib*/libcuda.so.1"],
    "prefix": "cu",
    "count": "cuDeviceGetCount",
    "alloc": "cuMemAlloc_v2",
    "write": "cuMemcpyHtoD_v2",
    "read": "cuMemcpyDtoH_v2",
    "load": "cuModuleLoadData",
    "function": "cuModuleGetFunction",
    "launch": "cuLaunchKernel",
    "synchronize": "cuCtxSynchronize",
    "total": "cuDeviceTotalMem_v2",
    "pci": "cuDeviceGetPCIBusId",
}
HIP = {
    "library": ["libamdhip64.so", "libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "/opt/rocm*/lib/libamdhip64.so"],
    "prefix": "hip",
    "count": "hipGetDeviceCount",
    "alloc": "hipMalloc",
    "write": "hipMemcpyHtoD",
    "read": "hipMemcpyDtoH",
    "load": "hipModuleLoadData",
    "function": "hipModuleGetFunction",
    "launch": "hipModuleLaunchKernel",
    "synchronize": "hipDeviceSynchronize",
    "total": "hipDeviceTotalMem",
    "pci": "hipDeviceGetPCIBusId",
}
NAMES: Dict[str, Dict[str, Any]] = {"nvidia": CUDA, "amd": HIP}
MAX_TEXT = 256


class DriverError(Exception):
    """A call that failed, in the driver's own words; or a library that cannot be loaded."""


class LibraryMissing(DriverError):
    """A library that is not installed."""


class Driver:
    """The devices that this process may use, numbered from 0. `open` one before memory and kernels are used."""

    def __init__(self, vendor: str):
        self.vendor, self.names = vendor, NAMES[vendor]
        self.library = load_library(self.names["library"])
        self.call(self.names["prefix"] + "Init", ctypes.c_uint(0))

    def call(self, name: str, *words: Any) -> None:
        """Calls a function of the library. DriverError where it does not return success."""
        code = getattr(self.library, name)(*words)
        if code != 0:
            raise DriverError("{}: {}".format(name, self.describe(code)))

    def describe(self, code: int) -> str:
        if self.vendor == "amd":
            self.library.hipGetErrorName.restype = ctypes.c_char_p
            return (self.library.hipGetErrorName(code) or b"").decode() or "error {}".format(code)
        text = ctypes.c_char_p()
        self.library.cuGetErrorName(code, ctypes.byref(text))
        return (text.value or b"").decode() or "error {}".format(code)

    def count(self) -> int:
        """The number of devices; 0 where the driver says that there is none."""
        number = ctypes.c_int()
        self.call(self.names["count"], ctypes.byref(number))
        return number.value

    def device(self, index: int) -> ctypes.c_int:
        found = ctypes.c_int()
        self.call(self.names["prefix"] + "DeviceGet", ctypes.byref(found), ctypes.c_int(index))
        return found

    def name(self, index: int) -> str:
        text = ctypes.create_string_buffer(MAX_TEXT)
        self.call(self.names["prefix"] + "DeviceGetName", text, ctypes.c_int(MAX_TEXT), self.device(index))
        return text.value.decode()

    def address(self, index: int) -> str:
        """The PCI address, as the kernel writes it."""
        text = ctypes.create_string_buffer(MAX_TEXT)
        self.call(self.names["pci"], text, ctypes.c_int(MAX_TEXT), self.device(index))
        return text.value.decode().lower()

    def uuid(self, index: int) -> str:
        """NVIDIA: `GPU-...` as nvidia-smi prints it. AMD: the card's unique id in hexadecimal digits; empty where it has none."""
        raw = ctypes.create_string_buffer(16)
        self.call(self.names["prefix"] + "DeviceGetUuid", raw, self.device(index))
        if self.vendor == "nvidia":
            return "GPU-" + str(uuid.UUID(bytes=raw.raw))
        text = raw.raw.decode("ascii", "replace").strip("\0")
        return "" if text == "XX" else text

    def total_bytes(self, index: int) -> int:
        size = ctypes.c_size_t()
        self.call(self.names["total"], ctypes.byref(size), self.device(index))
        return size.value

    def open(self, index: int = 0) -> None:
        if self.vendor == "amd":
            return self.call("hipSetDevice", ctypes.c_int(index))
        context = ctypes.c_void_p()
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), self.device(index))
        self.call("cuCtxSetCurrent", context)

    def alloc(self, size: int) -> ctypes.c_void_p:
        """The address of `size` bytes of the device's memory."""
        place = ctypes.c_void_p()
        self.call(self.names["alloc"], ctypes.byref(place), ctypes.c_size_t(size))
        return place

    def write(self, place: ctypes.c_void_p, data: bytes) -> None:
        self.call(self.names["write"], place, data, ctypes.c_size_t(len(data)))

    def read(self, place: ctypes.c_void_p, size: int) -> bytes:
        data = ctypes.create_string_buffer(size)
        self.call(self.names["read"], data, place, ctypes.c_size_t(size))
        return data.raw

    def kernel(self, image: bytes, name: str) -> ctypes.c_void_p:
        """A kernel of a module: PTX, a cubin, or a code object of HIP."""
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        self.call(self.names["load"], ctypes.byref(module), image + b"\0")
        self.call(self.names["function"], ctypes.byref(function), module, name.encode())
        return function

    def compile(self, source: bytes) -> bytes:
        """A code object for the device, from HIP source. AMD only: for NVIDIA there is PTX."""
        try:
            library = load_library(["libhiprtc.so", "libhiprtc.so.7", "libhiprtc.so.6", "libhiprtc.so.5", "/opt/rocm*/lib/libhiprtc.so"])
        except DriverError:
            library = self.library  # where it was before ROCm 6
        if not hasattr(library, "hiprtcCreateProgram"):
            raise DriverError("libhiprtc.so is not there")
        program, size = ctypes.c_void_p(), ctypes.c_size_t()
        library.hiprtcCreateProgram(ctypes.byref(program), source, b"kernel.cu", 0, None, None)
        code = library.hiprtcCompileProgram(program, 0, None)
        if code != 0:
            raise DriverError("hiprtcCompileProgram: error {}".format(code))
        library.hiprtcGetCodeSize(program, ctypes.byref(size))
        data = ctypes.create_string_buffer(size.value)
        library.hiprtcGetCode(program, data)
        return data.raw

    def launch(self, kernel: ctypes.c_void_p, blocks: int, threads: int, words: Sequence[Any]) -> None:
        """Starts a kernel; `words` are ctypes values."""
        places = (ctypes.c_void_p * len(words))(*[ctypes.addressof(word) for word in words])
        sizes = [ctypes.c_uint(number) for number in (blocks, 1, 1, threads, 1, 1, 0)]
        self.call(self.names["launch"], kernel, *sizes, None, places, None)

    def synchronize(self) -> None:
        self.call(self.names["synchronize"])


def load_library(names: List[str]) -> ctypes.CDLL:
    """The first of these libraries that is there; PyTorch brings its own of HIP. DriverError where one is there, but cannot be loaded."""
    missing, problem = "", ""
    for name in names:
        for path in sorted(glob.glob(name)) if "*" in name else [name]:
            try:
                return ctypes.CDLL(path)
            except OSError as error:
                if str(error).startswith(path + ": cannot open shared object file: No such file"):
                    missing = missing or str(error)
                else:
                    problem = problem or str(error)
    if problem:
        raise DriverError(problem)
    raise LibraryMissing(missing or "{} is not there".format(names[0]))


def find_driver() -> Driver:
    """The driver of this process's GPU; a slot of muster says which vendor's it is. LibraryMissing where there is none, DriverError with what
    failed where one is there and shows no GPU."""
    vendors = ["amd", "nvidia"] if "HIP_VISIBLE_DEVICES" in os.environ else ["nvidia", "amd"]
    missing, problems = [], []
    for vendor in vendors:
        try:
            driver = Driver(vendor)
            if driver.count() > 0:
                return driver
            problems.append("it shows no device of {}".format(vendor))
        except LibraryMissing as error:
            missing.append(str(error))
        except DriverError as error:
            problems.append(str(error))
    if problems:
        raise DriverError("no GPU that the driver's library can use: " + "; ".join(problems))
    raise LibraryMissing("; ".join(missing))
