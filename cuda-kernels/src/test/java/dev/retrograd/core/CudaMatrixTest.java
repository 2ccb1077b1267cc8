package dev.retrograd.core;

class CudaMatrixTest extends CudaFamilyTest implements MatrixContract {
}
