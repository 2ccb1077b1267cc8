// Linear layers with low-rank updates on tensor cores in tf32; see tensor_lora.cuh.
#include "tensor_lora.cuh"
ENTRIES(tf32)
