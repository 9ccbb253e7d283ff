"""The versions of the compilers of this node."""
from __future__ import annotations

from ..wire import to_bytes

TIMEOUT_SECONDS = 30.0
# A build is made again where one of these prints another version. The first lines matter: nvcc has its version in the fourth.
SCRIPT = r"""
uname -m
for tool in cc gcc g++ clang clang++ nvcc hipcc rustc python3 ldd; do
  if command -v "$tool" >/dev/null; then echo "$tool: $("$tool" --version 2>&1 </dev/null | head -n 8)"; fi
done
if command -v go >/dev/null; then go version </dev/null; fi
for tool in "$CC" "$CXX"; do
  if [ -n "$tool" ]; then echo "$tool: $($tool --version 2>&1 </dev/null | head -n 8)"; fi
done
exit 0
"""
# Only these: whatever is in a command line, other users can see.
EXPORTED = (b"PATH", b"CC", b"CXX", b"CUDA_HOME", b"ROCM_PATH", b"RUSTUP_TOOLCHAIN")


def toolchain_script(env: dict[bytes, bytes]) -> str:
    """A shell script that prints the machine's architecture and the versions of the compilers that a build with this environment
    finds."""
    settings = [b"export %s=%s" % (name, quote(env[name])) for name in EXPORTED if name in env]
    return (b"\n".join(settings) + to_bytes(SCRIPT)).decode("utf-8", "surrogateescape")


def quote(text: bytes) -> bytes:
    return b"'" + text.replace(b"'", b"'\\''") + b"'"
