// Attention for heads of 81 to 160 channels.
#include "attention_mma.cuh"
ATTENTION(160, 1, 32, 2, 32, 16, 1)
