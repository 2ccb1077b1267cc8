package dev.retrograd.benchmarks;

import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/// Further columns in the report: with nanoseconds as the unit, GFLOP/s and GB/s.
@State(Scope.Thread)
@AuxCounters(AuxCounters.Type.OPERATIONS)
public class Rate {
    /// Floating-point operations done so far; a multiply-add counts as two. 0 where memory bounds the kernel.
    public long flop;
    /// Bytes of operands and results so far, each once.
    public long bytes;
}
