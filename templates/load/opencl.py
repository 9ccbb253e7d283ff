"""As much of OpenCL 1.2 as the built-in load needs, through ctypes: no package has to be installed for it."""
from __future__ import annotations

import ctypes
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

LIBRARIES = ("libOpenCL.so.1", "libOpenCL.so", "/opt/rocm/lib/libOpenCL.so.1", "/opt/rocm/opencl/lib/libOpenCL.so.1")

ALL_DEVICES = 0xFFFFFFFF
DEVICE_TYPE, DEVICE_NAME, DRIVER_VERSION = 0x1000, 0x102B, 0x102D
TYPE_GPU = 1 << 2
# Where a device is on the PCI bus: by the extension that all vendors may offer, by AMD's and by NVIDIA's own.
PCI_BUS_INFO_KHR, TOPOLOGY_AMD = 0x410F, 0x4037
PCI_BUS_NV, PCI_SLOT_NV, PCI_DOMAIN_NV = 0x4008, 0x4009, 0x400A
BUILD_LOG = 0x1183
READ_WRITE, COPY_HOST = 1 << 0, 1 << 5
MAX_TEXT_BYTES = 4096


class OpenClError(Exception):
    """A call failed, or there is no OpenCL here."""


class OpenCl:
    """The library, whose calls raise OpenClError."""

    def __init__(self) -> None:
        self.library = load_library()

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function that returns its status."""
        status = getattr(self.library, name)(*arguments)
        if status != 0:
            raise OpenClError("{} failed with {}".format(name, status))

    def create(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """Calls a function that returns an object, and takes a pointer to its status as the last argument."""
        function = getattr(self.library, name)
        function.restype = ctypes.c_void_p
        status = ctypes.c_int32()
        made = function(*arguments, ctypes.byref(status))
        if status.value != 0:
            raise OpenClError("{} failed with {}".format(name, status.value))
        return ctypes.c_void_p(made)

    def devices(self) -> Iterator[Device]:
        count = ctypes.c_uint32()
        # With no platform the loader returns an error of its own.
        if self.library.clGetPlatformIDs(0, None, ctypes.byref(count)) != 0 or count.value == 0:
            return
        platforms = (ctypes.c_void_p * count.value)()
        self.call("clGetPlatformIDs", count, platforms, None)
        for platform in platforms:
            found = ctypes.c_uint32()
            if self.library.clGetDeviceIDs(ctypes.c_void_p(platform), ctypes.c_uint64(ALL_DEVICES), 0, None, ctypes.byref(found)):
                continue
            handles = (ctypes.c_void_p * found.value)()
            self.call("clGetDeviceIDs", ctypes.c_void_p(platform), ctypes.c_uint64(ALL_DEVICES), found, handles, None)
            for handle in handles:
                yield Device(self, ctypes.c_void_p(handle))


class Device:
    def __init__(self, cl: OpenCl, handle: ctypes.c_void_p):
        self.cl, self.handle = cl, handle

    def info(self, key: int, size: int) -> bytes | None:
        """None where the device does not know the key."""
        text = ctypes.create_string_buffer(size)
        if self.cl.library.clGetDeviceInfo(self.handle, key, ctypes.c_size_t(size), text, None) != 0:
            return None
        return text.raw

    @property
    def name(self) -> str:
        return (self.info(DEVICE_NAME, MAX_TEXT_BYTES) or b"").split(b"\0")[0].decode("utf-8", "replace").strip()

    @property
    def driver(self) -> str:
        return (self.info(DRIVER_VERSION, MAX_TEXT_BYTES) or b"").split(b"\0")[0].decode("utf-8", "replace").strip()

    @property
    def is_gpu(self) -> bool:
        return bool(struct.unpack("<Q", self.info(DEVICE_TYPE, 8) or b"\0" * 8)[0] & TYPE_GPU)

    @property
    def pci(self) -> str | None:
        """Such as 0000:03:00.0; None where it is not known."""
        khr = self.info(PCI_BUS_INFO_KHR, 16)
        if khr is not None:
            return "{:04x}:{:02x}:{:02x}.{:x}".format(*struct.unpack("<4I", khr))
        amd = self.info(TOPOLOGY_AMD, 24)
        if amd is not None and amd[0] == 1:
            # It has no domain; the functions are signed characters.
            return "0000:{:02x}:{:02x}.{:x}".format(*amd[21:24])
        bus, slot, domain = (self.info(key, 4) for key in (PCI_BUS_NV, PCI_SLOT_NV, PCI_DOMAIN_NV))
        if bus is not None and slot is not None:
            place = struct.unpack("<I", slot)[0]
            number = struct.unpack("<I", domain)[0] if domain is not None else 0
            return "{:04x}:{:02x}:{:02x}.{:x}".format(number, struct.unpack("<I", bus)[0], place >> 3, place & 7)
        return None


class Program:
    """Kernels that were built for a device, and a queue on which they run in order."""

    def __init__(self, device: Device, source: str):
        self.cl = cl = device.cl
        self.context = cl.create("clCreateContext", None, 1, ctypes.byref(device.handle), None, None)
        self.queue = cl.create("clCreateCommandQueue", self.context, device.handle, ctypes.c_uint64(0))
        text = ctypes.c_char_p(source.encode())
        self.program = cl.create("clCreateProgramWithSource", self.context, 1, ctypes.byref(text), None)
        try:
            cl.call("clBuildProgram", self.program, 1, ctypes.byref(device.handle), None, None, None)
        except OpenClError as error:
            log = ctypes.create_string_buffer(MAX_TEXT_BYTES)
            size = ctypes.c_size_t(MAX_TEXT_BYTES)
            cl.library.clGetProgramBuildInfo(self.program, device.handle, BUILD_LOG, size, log, None)
            raise OpenClError("{}: {}".format(error, log.value.decode("utf-8", "replace")[:1000]))

    def buffer(self, size_bytes: int) -> ctypes.c_void_p:
        """Memory of the device, filled with zeros."""
        zeros = ctypes.create_string_buffer(size_bytes)
        flags = ctypes.c_uint64(READ_WRITE | COPY_HOST)
        return self.cl.create("clCreateBuffer", self.context, flags, ctypes.c_size_t(size_bytes), zeros)

    def kernel(self, name: str, *arguments: ctypes.c_void_p | ctypes.c_uint32) -> ctypes.c_void_p:
        kernel = self.cl.create("clCreateKernel", self.program, ctypes.c_char_p(name.encode()))
        for index, value in enumerate(arguments):
            size = ctypes.c_size_t(ctypes.sizeof(value))
            self.cl.call("clSetKernelArg", kernel, ctypes.c_uint32(index), size, ctypes.byref(value))
        return kernel

    def enqueue(self, kernel: ctypes.c_void_p, items: int) -> None:
        size = ctypes.c_size_t(items)
        self.cl.call("clEnqueueNDRangeKernel", self.queue, kernel, 1, None, ctypes.byref(size), None, 0, None, None)

    def finish(self) -> None:
        self.cl.call("clFinish", self.queue)

    def read(self, buffer: ctypes.c_void_p, words: int) -> list[int]:
        """Waits for the kernels that were enqueued before."""
        data = ctypes.create_string_buffer(4 * words)
        size = ctypes.c_size_t(4 * words)
        self.cl.call("clEnqueueReadBuffer", self.queue, buffer, 1, ctypes.c_size_t(0), size, data, 0, None, None)
        return list(struct.unpack("<{}I".format(words), data.raw))

    def write(self, buffer: ctypes.c_void_p, data: bytes) -> None:
        size = ctypes.c_size_t(len(data))
        source = ctypes.c_char_p(data)
        self.cl.call("clEnqueueWriteBuffer", self.queue, buffer, 1, ctypes.c_size_t(0), size, source, 0, None, None)


def load_library() -> ctypes.CDLL:
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise OpenClError("libOpenCL.so.1 is not installed")
