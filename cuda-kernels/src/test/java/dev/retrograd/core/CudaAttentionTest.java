package dev.retrograd.core;

class CudaAttentionTest extends CudaFamilyTest implements AttentionContract {
}
