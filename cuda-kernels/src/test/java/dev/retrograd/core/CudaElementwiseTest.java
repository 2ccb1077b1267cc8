package dev.retrograd.core;

class CudaElementwiseTest extends CudaFamilyTest implements ElementwiseContract {
}
