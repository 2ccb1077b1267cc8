// Matrix products on tensor cores in bf16; see tensor_product.cuh.
#include "tensor_matmul.cuh"
ENTRIES(bf16)
