package dev.retrograd.core;

class CudaImageTest extends CudaFamilyTest implements ImageContract {
}
