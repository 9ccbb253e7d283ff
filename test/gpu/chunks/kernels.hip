// spin: runs until its process is killed, because nobody sets the word. fault: writes where no memory is.
extern "C" __global__ void spin(volatile unsigned int *word) {
  while (*word == 0) {
  }
}

extern "C" __global__ void fault(unsigned int *word) { word[1ull << 38] = 1; }
