// Attention for heads of 65 to 80 channels.
#include "attention_mma.cuh"
ATTENTION(80, 1, 64, 4, 32, 32, 2)
