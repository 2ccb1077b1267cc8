// Attention on warpgroups in bf16, for compute capability 9.0; see attention_sm90.cuh and attention_sm90_backward.cuh.
#include "attention_sm90_entries.cuh"
ENTRIES(bf16)
