/*
 * The drivers of NVIDIA's and AMD's GPUs, as far as the suite calls them, for the cards of a lab node: libcuda.so.1, and with -DHIP
 * libamdhip64.so. "Device memory" is a file per process that the fake tools add up, and kernels are functions of this file: the text of a
 * module, PTX or source of HIP, must have them, with as many parameters as they are called with. What a compiler made is taken as it is.
 * /etc/fake-gpu-faults names what is to go wrong: unbound (every card is visible), wrong-hits, hang (the library's first call never returns),
 * no-kernel (modules lack the kernel of the check "fault"), broken (the library's first call fails).
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CARDS 64
#define HOLDINGS "/var/tmp/fake-gpu"
#define MASK ((1ull << 48) - 1)
enum { SUCCESS = 0, INVALID = 1, NO_MEMORY = 2, INVALID_IMAGE = 200, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700 };
typedef unsigned long long u64;

#ifdef HIP
#define VENDOR "0x1002"
#define BINDING "HIP_VISIBLE_DEVICES"
#define TOTAL_MIB 8192u
#define ENTRY "__global__ void "
#else
#define VENDOR "0x10de"
#define BINDING "CUDA_VISIBLE_DEVICES"
#define TOTAL_MIB 12288u
#define ENTRY "\n.visible .entry "
#endif

static char bus[MAX_CARDS][16];
static int cards, visible[MAX_CARDS], devices, current, broken;
static u64 used_mib;

static int has_fault(const char *name) {
  char text[256] = "";
  FILE *file = fopen("/etc/fake-gpu-faults", "r");
  if (!file) return 0;
  size_t size = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[size] = 0;
  return strstr(text, name) != NULL;
}

static int compare(const void *a, const void *b) { return strcmp(a, b); }

static void find_cards(void) {
  DIR *folder = opendir("/sys/bus/pci/devices");
  struct dirent *entry;
  while (folder && (entry = readdir(folder)) && cards < MAX_CARDS) {
    char path[300], vendor[16] = "";
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/vendor", entry->d_name);
    FILE *file = fopen(path, "r");
    if (!file) continue;
    if (fgets(vendor, sizeof vendor, file) && !strncmp(vendor, VENDOR, 6)) snprintf(bus[cards++], 16, "%.15s", entry->d_name);
    fclose(file);
  }
  if (folder) closedir(folder);
  qsort(bus, cards, sizeof bus[0], compare);
}

static int card_number(int index) { return (int)(strtol(bus[index] + 5, NULL, 16) - 3) / 3; }

static void fill_uuid(int index, unsigned char *uuid) {
  unsigned first = 0xA0B1C2D0u + card_number(index);
  unsigned char rest[12] = {0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44};
  for (int k = 0; k < 4; k++) uuid[k] = first >> (24 - 8 * k);
  memcpy(uuid + 4, rest, 12);
}

/* Takes the devices that the environment names, by number or UUID, up to the first that does not exist. */
static void bind(void) {
  char words[512], *word, *rest;
  const char *value = getenv(BINDING);
  if (!value || has_fault("unbound")) {
    for (devices = 0; devices < cards; devices++) visible[devices] = devices;
    return;
  }
  snprintf(words, sizeof words, "%s", value);
  for (word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
    int found = -1;
    for (int k = 0; k < cards; k++) {
      unsigned char uuid[16];
      char text[16];
      fill_uuid(k, uuid);
      snprintf(text, sizeof text, "GPU-%02x%02x%02x%02x", uuid[0], uuid[1], uuid[2], uuid[3]);
      if (!strncmp(word, text, 12) || (*word >= '0' && *word <= '9' && atoi(word) == k)) found = k;
    }
    if (found < 0) return;
    visible[devices++] = found;
  }
}

static int init(unsigned flags) {
  if (flags || has_fault("broken")) return INVALID;
  while (has_fault("hang")) pause();
  if (!cards) find_cards(), bind();
  return SUCCESS;
}

static int get_name(char *name, int size, int device) {
  if (device >= devices) return INVALID;
  snprintf(name, size, "Fake GPU");
  return SUCCESS;
}

static int get_address(char *text, int size, int device) {
  if (device >= devices) return INVALID;
  snprintf(text, size, "%s", bus[visible[device]]);
  return SUCCESS;
}

static int note_memory(void) {
  char path[64];
  snprintf(path, sizeof path, HOLDINGS "/%d", getpid());
  FILE *file = fopen(path, "w");
  if (!file) return INVALID;
  fprintf(file, "%d %llu\n", card_number(visible[current]), used_mib);
  fclose(file);
  return SUCCESS;
}

/* The memory is the process's own as well, but for large pieces, which kernels never touch. */
static int alloc(void **place, size_t size) {
  if (broken) return broken;
  if (used_mib + (size >> 20) > TOTAL_MIB) return NO_MEMORY;
  *place = malloc(size > 1 << 24 ? 1 << 24 : size);
  used_mib += size >> 20;
  return note_memory();
}

static u64 draw(u64 *state) {
  for (;;) {
    *state = (*state * 0x5DEECE66Dull + 0xB) & MASK;
    u64 bits = *state >> 17, value = bits % 1000;
    if (bits - value + 999 < 1ull << 31) return value;
  }
}

static void sieve(void **words) {
  u64 start = *(u64 *)words[0], count = *(u64 *)words[1], *hits = *(u64 **)words[6];
  unsigned skip = *(unsigned *)words[2], *observed = *(unsigned **)words[3], length = *(unsigned *)words[4];
  unsigned *found = *(unsigned **)words[5], capacity = *(unsigned *)words[7];
  for (u64 seed = start; seed < start + count; seed++) {
    u64 state = (seed ^ 0x5DEECE66Dull) & MASK;
    unsigned same = 0;
    for (unsigned k = 0; k < skip; k++) draw(&state);
    while (same < length && draw(&state) == observed[same]) same++;
    if (same == length && (*found)++ < capacity) hits[*found - 1] = seed;
  }
  if (has_fault("wrong-hits") && *found) --*found;
}

static int launch(void *kernel, void **words) {
  if (broken) return broken;
  if (!strcmp(kernel, "sieve")) sieve(words);
  while (!strcmp(kernel, "spin")) usleep(10000);
  if (!strcmp(kernel, "fault")) broken = ILLEGAL_ADDRESS;
  return SUCCESS;
}

/* A fat binary of CUDA, a bundle of HIP, or a code object. */
static int is_compiled(const char *image) {
  return !memcmp(image, "\x50\xed\x55\xba", 4) || !strncmp(image, "__CLANG_OFFLOAD", 15) || !memcmp(image, "\x7f" "ELF", 4);
}

static int load(void **module, const char *image) {
  if (!is_compiled(image) && !strstr(image, ENTRY)) return INVALID_IMAGE;
  return *module = is_compiled(image) ? "\x7f" "ELF" : strdup(image), SUCCESS;
}

static int has_kernel(const char *image, const char *name, int parameters) {
  char head[64];
  snprintf(head, sizeof head, ENTRY "%s(", name);
  const char *at = strstr(image, head);
  if (!at) return is_compiled(image);
  for (; *at && *at != ')'; at++) parameters -= *at == ',';
  return parameters == 1;
}

static int get_function(void **function, void *module, const char *name) {
  const struct { const char *name; int parameters; } known[] = {{"sieve", 8}, {"spin", 1}, {"fault", 1}};
  if (!strcmp(name, "fault") && has_fault("no-kernel")) return NOT_FOUND;
  for (int k = 0; k < 3; k++)
    if (!strcmp(name, known[k].name) && has_kernel(module, name, known[k].parameters)) return *function = (void *)known[k].name, SUCCESS;
  return NOT_FOUND;
}

static const char *error_name(int code) {
  switch (code) {
    case NO_MEMORY: return "ERROR_OUT_OF_MEMORY";
    case INVALID_IMAGE: return "ERROR_INVALID_IMAGE";
    case NOT_FOUND: return "ERROR_NOT_FOUND";
    case ILLEGAL_ADDRESS: return "ERROR_ILLEGAL_ADDRESS";
    default: return "ERROR_INVALID_VALUE";
  }
}

#ifdef HIP
#define API(cuda, hip) hip
#else
#define API(cuda, hip) cuda
#endif
#define LAUNCH_SHAPE unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared

int API(cuInit, hipInit)(unsigned flags) { return init(flags); }
int API(cuDeviceGetCount, hipGetDeviceCount)(int *count) { return *count = devices, SUCCESS; }
int API(cuDeviceGet, hipDeviceGet)(int *device, int index) { return *device = index, index < devices ? SUCCESS : INVALID; }
int API(cuDeviceGetName, hipDeviceGetName)(char *name, int size, int device) { return get_name(name, size, device); }
int API(cuDeviceGetPCIBusId, hipDeviceGetPCIBusId)(char *text, int size, int device) { return get_address(text, size, device); }
int API(cuDeviceTotalMem_v2, hipDeviceTotalMem)(size_t *size, int device) { return (void)device, *size = (size_t)TOTAL_MIB << 20, SUCCESS; }
int API(cuMemAlloc_v2, hipMalloc)(void **place, size_t size) { return alloc(place, size); }
int API(cuMemcpyHtoD_v2, hipMemcpyHtoD)(void *to, const void *from, size_t size) { return memcpy(to, from, size), broken; }
int API(cuMemcpyDtoH_v2, hipMemcpyDtoH)(void *to, const void *from, size_t size) { return memcpy(to, from, size), broken; }
int API(cuModuleLoadData, hipModuleLoadData)(void **module, const void *image) { return load(module, image); }
int API(cuModuleGetFunction, hipModuleGetFunction)(void **function, void *module, const char *name) { return get_function(function, module, name); }
int API(cuLaunchKernel, hipModuleLaunchKernel)(void *kernel, LAUNCH_SHAPE, void *stream, void **words, void **extra) {
  (void)gx, (void)gy, (void)gz, (void)bx, (void)by, (void)bz, (void)shared, (void)stream, (void)extra;
  return launch(kernel, words);
}
int API(cuCtxSynchronize, hipDeviceSynchronize)(void) { return broken; }
#ifdef HIP
int hipSetDevice(int device) { return current = device, SUCCESS; }
int hipDeviceGetUuid(char *uuid, int device) { return memset(uuid, 0, 16), device < devices ? SUCCESS : INVALID; }
const char *hipGetErrorName(int code) { return error_name(code); }
/* The "code" is the source. */
int hiprtcCreateProgram(void **program, const char *source) { return *program = (void *)source, SUCCESS; }
int hiprtcCompileProgram(void *program, int count, const char **options) { return (void)program, (void)options, count; }
int hiprtcGetCodeSize(void *program, size_t *size) { return *size = strlen(program) + 1, SUCCESS; }
int hiprtcGetCode(void *program, char *code) { return strcpy(code, program), SUCCESS; }
#else
int cuDevicePrimaryCtxRetain(void **context, int device) { return *context = &visible[device], device < devices ? SUCCESS : INVALID; }
int cuCtxSetCurrent(void *context) { return current = (int)((int *)context - visible), SUCCESS; }
int cuDeviceGetUuid(unsigned char *uuid, int device) { return fill_uuid(visible[device], uuid), SUCCESS; }
int cuGetErrorName(int code, const char **name) { return *name = error_name(code), SUCCESS; }
#endif
