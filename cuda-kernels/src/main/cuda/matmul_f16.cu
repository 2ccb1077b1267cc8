// Matrix products on tensor cores in f16; see tensor_product.cuh.
#include "tensor_matmul.cuh"
ENTRIES(f16)
