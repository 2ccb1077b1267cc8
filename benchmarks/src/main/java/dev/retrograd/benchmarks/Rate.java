package dev.retrograd.benchmarks;

import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/// A second column in the report: floating-point operations per unit of time; with nanoseconds as the unit, GFLOP/s.
@State(Scope.Thread)
@AuxCounters(AuxCounters.Type.OPERATIONS)
public class Rate {
    /// Operations done so far; a multiply-add counts as two.
    public long flop;
}
