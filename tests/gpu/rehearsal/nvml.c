/* A stand-in for NVIDIA's library libnvidia-ml.so.1, as far as Slurm's plugin gpu/nvml
 * asks it: one GPU, whose device is /dev/nvidia0. */
#include <stdio.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3 };

static int text(char *to, unsigned size, const char *what) {
  return snprintf(to, size, "%s", what) < 0;
}

int nvmlInit_v2(void) { return SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { return code ? "not supported" : "success"; }
int nvmlSystemGetDriverVersion(char *to, unsigned size) { return text(to, size, "0.0"); }
int nvmlSystemGetNVMLVersion(char *to, unsigned size) { return text(to, size, "0.0"); }
int nvmlDeviceGetCount_v2(unsigned *count) { return *count = 1, SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  static int it;
  return *device = &it, index ? NOT_SUPPORTED : SUCCESS;
}
int nvmlDeviceGetName(void *device, char *to, unsigned size) { return (void)device, text(to, size, "NVIDIA stand-in"); }
int nvmlDeviceGetUUID(void *device, char *to, unsigned size) { return (void)device, text(to, size, "GPU-0"); }
int nvmlDeviceGetMinorNumber(void *device, unsigned *number) { return (void)device, *number = 0, SUCCESS; }
int nvmlDeviceGetCpuAffinity(void *device, unsigned size, unsigned long *cpus) {
  (void)device;
  for (unsigned i = 0; i < size; i++)
    cpus[i] = ~0ul;
  return SUCCESS;
}
/* What it is asked for leaves these fields as they were: zero. */
int nvmlDeviceGetPciInfo_v3(void *device, void *pci) { return (void)device, (void)pci, SUCCESS; }
/* The plugin takes the addresses of these two, so it does not start without them. */
int nvmlDeviceGetComputeRunningProcesses_v3() { return NOT_SUPPORTED; }
int nvmlDeviceGetGraphicsRunningProcesses_v3() { return NOT_SUPPORTED; }
int nvmlDeviceGetMigMode() { return NOT_SUPPORTED; }
int nvmlDeviceGetNvLinkState() { return NOT_SUPPORTED; }
int nvmlDeviceGetSupportedMemoryClocks() { return NOT_SUPPORTED; }
int nvmlDeviceGetSupportedGraphicsClocks() { return NOT_SUPPORTED; }
