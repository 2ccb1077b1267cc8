// Matrix products on warpgroups in bf16, for compute capability 9.0; see matmul_sm90.cuh.
#include "matmul_sm90.cuh"
ENTRIES(bf16)
