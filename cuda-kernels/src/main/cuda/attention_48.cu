// Attention for heads of up to 48 channels.
#include "attention_mma.cuh"
ATTENTION(48, 2, 64, 4, 64, 32, 2)
