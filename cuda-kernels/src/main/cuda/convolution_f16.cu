// Convolution on tensor cores in f16; see tensor_convolution.cuh.
#include "tensor_convolution.cuh"
ENTRIES(f16)
