// Attention's forward pass on warpgroups in f16, for compute capability 9.0; see attention_sm90.cuh.
#include "attention_sm90.cuh"
ENTRIES(f16)
