// Convolution on tensor cores in bf16; see tensor_convolution.cuh.
#include "tensor_convolution.cuh"
ENTRIES(bf16)
