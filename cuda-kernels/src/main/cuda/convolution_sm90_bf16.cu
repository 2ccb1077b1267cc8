// Convolutions on warpgroups in bf16, for compute capability 9.0; see convolution_sm90.cuh.
#include "convolution_sm90.cuh"
ENTRIES(bf16)
