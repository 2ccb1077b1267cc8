package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;

import dev.retrograd.core.DType;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;

/// Launches `random.cu`: {@link dev.retrograd.core.Backend#normals}.
final class RandomKernels {
    private static final DType[] F32 = {DType.F32};
    private static final int BLOCK = 16;

    private final Launcher launcher;

    RandomKernels(Launcher launcher) {
        this.launcher = launcher;
    }

    void normals(Tensor uniforms, Tensor y) {
        Launcher.sameType("normals", F32, uniforms, y);
        long n = y.shape().channels();
        long blocks = Math.ceilDiv(n, BLOCK);
        if (n < BLOCK || uniforms.shape().channels() != blocks * BLOCK || uniforms.shape().rows() != y.shape().rows()) {
            throw new ShapeException("normals: uniforms [rows, n in whole blocks of 16] and y [rows, n], n of 16 or more, are required, got " + uniforms + " and " + y);
        }
        long pairs = uniforms.elements() / 2;
        launcher.arguments().i64(address(uniforms)).i64(address(y)).i64(pairs).i64(blocks).i64(n);
        launcher.overElements("random", "box_muller_f32", pairs);
    }
}
