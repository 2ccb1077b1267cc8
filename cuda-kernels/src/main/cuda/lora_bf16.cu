// Linear layers with low-rank updates on tensor cores in bf16; see tensor_lora.cuh.
#include "tensor_lora.cuh"
ENTRIES(bf16)
