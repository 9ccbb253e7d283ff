// Tests seeds of java.util.Random, a thread a seed: which of them, after `skip` draws, yield the `length` observed ones? Source of CUDA and
// of HIP; sieve.ptx is the same kernel for machines with a driver only.
typedef unsigned int u32;
typedef unsigned long long u64;

#define MODULUS 1000u
#define MASK ((1ull << 48) - 1)

static __device__ u32 draw(u64 *state) {
  for (;;) {
    *state = (*state * 0x5DEECE66Dull + 0xBull) & MASK;
    u32 bits = (u32)(*state >> 17);
    u32 value = bits % MODULUS;
    if (bits - value + (MODULUS - 1) < 0x80000000u) return value;
  }
}

extern "C" __global__ void sieve(u64 start, u64 count, u32 skip, const u32 *observed, u32 length, u32 *found, u64 *hits,
                                 u32 capacity) {
  u64 stride = (u64)gridDim.x * blockDim.x;
  for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) {
    u64 state = ((start + i) ^ 0x5DEECE66Dull) & MASK;
    for (u32 k = 0; k < skip; k++) draw(&state);
    u32 same = 0;
    while (same < length && draw(&state) == observed[same]) same++;
    if (same == length) {
      u32 place = atomicAdd(found, 1u);
      if (place < capacity) hits[place] = start + i;
    }
  }
}
