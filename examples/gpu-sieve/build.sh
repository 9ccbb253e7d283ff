#!/bin/sh
# Compiles the kernel for the cards of this node, where it has a compiler for them. Without one, sieve.py runs it in another way.
PATH=$PATH:/usr/local/cuda/bin:/opt/rocm/bin
mkdir -p built
if command -v nvcc; then
  nvcc -fatbin -arch=native kernel.cu -o built/sieve.fatbin || nvcc -fatbin kernel.cu -o built/sieve.fatbin
fi
if command -v hipcc; then
  hipcc --genco -O3 --offload-arch=native -x hip kernel.cu -o built/sieve.co || hipcc --genco -O3 -x hip kernel.cu -o built/sieve.co
fi
ls built >built/list
