package dev.retrograd.core;

class CudaConvolutionTest extends CudaFamilyTest implements ConvolutionContract {
}
