// Convolutions on warpgroups in f16, for compute capability 9.0; see convolution_sm90.cuh.
#include "convolution_sm90.cuh"
ENTRIES(f16)
