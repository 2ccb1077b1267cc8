package dev.retrograd.core;

class CudaReductionTest extends CudaFamilyTest implements ReductionContract {
}
