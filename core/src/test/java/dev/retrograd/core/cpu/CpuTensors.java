package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/// Tensors for tests of single kernel families, without a backend around them. Fresh ones are NaN, so that an unwritten output is seen.
final class CpuTensors implements AutoCloseable {
    private final CpuMemory memory = new CpuMemory(true);

    Tensor empty(int... dims) {
        return memory.memory().allocate("t" + Arrays.toString(dims), new Spec(Shape.of(dims), DType.F32));
    }

    Tensor of(float[] values, int... dims) {
        Tensor t = empty(dims);
        MemorySegment.copy(values, 0, CpuMemory.data(t), JAVA_FLOAT, 0, values.length);
        return t;
    }

    static float[] floats(Tensor t) {
        return CpuMemory.data(t).toArray(JAVA_FLOAT);
    }

    @Override public void close() {
        memory.close();
    }
}
