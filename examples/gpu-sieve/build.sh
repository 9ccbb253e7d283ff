#!/bin/sh
# Compiles the kernel for the cards of this node, where it has a compiler for them. Without one, sieve.py runs it in another way.
PATH=$PATH:/usr/local/cuda/bin:/opt/rocm/bin
mkdir -p built
if command -v nvcc; then
  nvcc -fatbin -arch=native kernel.cu -o built/sieve.fatbin || nvcc -fatbin kernel.cu -o built/sieve.fatbin
fi
if command -v hipcc; then
  # hipcc would compile for NVIDIA where it finds nvcc, and knows threadIdx and atomicAdd from its header only.
  export HIP_PLATFORM=amd
  set -- --genco -O3 -include hip/hip_runtime.h
  hipcc "$@" --offload-arch=native -x hip kernel.cu -o built/sieve.co || hipcc "$@" -x hip kernel.cu -o built/sieve.co
fi
ls built >built/list
