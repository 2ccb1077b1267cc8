// Linear layers with low-rank updates on tensor cores in f16; see tensor_lora.cuh.
#include "tensor_lora.cuh"
ENTRIES(f16)
