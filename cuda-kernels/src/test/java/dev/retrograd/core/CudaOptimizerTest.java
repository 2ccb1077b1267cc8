package dev.retrograd.core;

class CudaOptimizerTest extends CudaFamilyTest implements OptimizerContract {
}
