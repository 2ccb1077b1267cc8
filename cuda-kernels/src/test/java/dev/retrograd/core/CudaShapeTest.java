package dev.retrograd.core;

class CudaShapeTest extends CudaFamilyTest implements ShapeContract {
}
