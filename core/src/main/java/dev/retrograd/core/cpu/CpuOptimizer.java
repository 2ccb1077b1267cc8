package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.VectorMath.LANES;
import static dev.retrograd.core.cpu.Vectors.load;
import static dev.retrograd.core.cpu.Vectors.loadTail;
import static dev.retrograd.core.cpu.Vectors.store;
import static dev.retrograd.core.cpu.Vectors.storeTail;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import dev.retrograd.core.DType;
import dev.retrograd.core.OptimizerKernels.AdamWStep;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// The weights' update.
final class CpuOptimizer {
    private static final double CLIP_EPS = 1e-6;

    private final Workers workers;

    CpuOptimizer(Workers workers) {
        this.workers = workers;
    }

    void adamw(AdamWStep step, Tensor grad, Tensor gradientScale, Tensor p, Tensor m, Tensor v) {
        for (Tensor t : new Tensor[] {grad, gradientScale, p, m, v}) {
            Elements.require("adamw", DType.F32, t);
        }
        for (Tensor t : new Tensor[] {grad, m, v}) {
            if (t.elements() != p.elements()) {
                throw new ShapeException("adamw: as many elements are required in both, got " + p + " and " + t);
            }
        }
        float scale = CpuMemory.data(gradientScale).get(JAVA_FLOAT_UNALIGNED, 0);
        Factors factors = new Factors(step, scale);
        MemorySegment gs = CpuMemory.data(grad);
        MemorySegment ps = CpuMemory.result(p);
        MemorySegment ms = CpuMemory.result(m);
        MemorySegment vs = CpuMemory.result(v);
        workers.elements(p.elements(), (from, to) -> {
            long at = from * 4;
            long bytes = (to - from) * 4;
            update(factors, gs.asSlice(at, bytes).address(), ps.asSlice(at, bytes).address(), ms.asSlice(at, bytes).address(), vs.asSlice(at, bytes).address(), (int) (to - from));
        });
    }

    /// The step's numbers, worked out in float64 and rounded once.
    private record Factors(float scale, float decay, float beta1, float rest1, float beta2, float rest2, float stepSize, float rootCorrection, float eps) {
        Factors(AdamWStep s, float scale) {
            this(scale, (float) (1 - s.learningRate() * s.weightDecay()), (float) s.beta1(), (float) (1 - s.beta1()), (float) s.beta2(),
                    (float) (1 - s.beta2()), (float) (s.learningRate() / (1 - StrictMath.pow(s.beta1(), s.t()))),
                    (float) Math.sqrt(1 - StrictMath.pow(s.beta2(), s.t())), (float) s.eps());
        }

        FloatVector moment(FloatVector m, FloatVector g) {
            return m.mul(beta1).add(g.mul(rest1));
        }

        FloatVector square(FloatVector v, FloatVector g) {
            return v.mul(beta2).add(g.mul(g).mul(rest2));
        }

        FloatVector parameter(FloatVector p, FloatVector m, FloatVector v) {
            return p.mul(decay).sub(m.mul(stepSize).div(v.sqrt().div(rootCorrection).add(eps)));
        }
    }

    private static void update(Factors f, long grad, long p, long m, long v, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            FloatVector g = load(grad, i).mul(f.scale);
            FloatVector mi = f.moment(load(m, i), g);
            FloatVector vi = f.square(load(v, i), g);
            store(m, i, mi);
            store(v, i, vi);
            store(p, i, f.parameter(load(p, i), mi, vi));
        }
        if (i < n) {
            FloatVector g = loadTail(grad, i, n).mul(f.scale);
            FloatVector mi = f.moment(loadTail(m, i, n), g);
            FloatVector vi = f.square(loadTail(v, i, n), g);
            storeTail(m, i, n, mi);
            storeTail(v, i, n, vi);
            storeTail(p, i, n, f.parameter(loadTail(p, i, n), mi, vi));
        }
    }

    void clipFactor(Tensor norm, double maxNorm, Tensor y) {
        Elements.require("clipFactor", DType.F32, norm);
        Elements.require("clipFactor", DType.F32, y);
        double n = CpuMemory.data(norm).get(JAVA_FLOAT_UNALIGNED, 0);
        CpuMemory.data(y).set(JAVA_FLOAT_UNALIGNED, 0, (float) Math.min(1, maxNorm / (n + CLIP_EPS)));
    }
}
