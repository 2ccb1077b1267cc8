// Attention for heads of 49 to 64 channels.
#include "attention_mma.cuh"
ATTENTION(64, 2, 64, 4, 32, 32, 2)
