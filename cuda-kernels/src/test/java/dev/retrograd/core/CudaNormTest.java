package dev.retrograd.core;

class CudaNormTest extends CudaFamilyTest implements NormContract {
}
