/* Prints the primes in [START, END), one a line. */
#include <stdio.h>
#include <stdlib.h>

static int is_prime(unsigned long n) {
    if (n < 2) return 0;
    for (unsigned long d = 2; d * d <= n; d++)
        if (n % d == 0) return 0;
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3) return 64;
    for (unsigned long n = strtoul(argv[1], NULL, 10), end = strtoul(argv[2], NULL, 10); n < end; n++)
        if (is_prime(n)) printf("%lu\n", n);
    return 0;
}
