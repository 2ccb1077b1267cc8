package dev.retrograd.trainer;

import dev.retrograd.trainer.method.MicroBatch;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongConsumer;
import java.util.function.Supplier;

/// Who computes the micro-batches of a run's updates. The result is the same whoever does: sums are made afterwards, in the order of the micro-batches.
@FunctionalInterface
public interface Crew {
    /// The run's own device alone.
    Crew ALONE = (work, here, done) -> {
        for (int i = 0; i < work.batches().size(); i++) {
            done.take(i, here.compute(work.batches().get(i), done::progressed));
        }
    };

    /// Micro-batches of one update that do not depend on each other.
    ///
    /// @param update its number, counted from 0
    /// @param weights trained so far, in the order of {@link dev.retrograd.unet.LoraWeights#parameters}; to be asked for on the thread that calls {@link Crew#compute}
    /// @param recomputed segments that the update's plan recomputes; empty for {@link dev.retrograd.trainer.method.AlignProp#RECOMPUTE_OUTERMOST}
    /// @param places of the tensors of each micro-batch, as that plan has them; empty where there is none
    record Work(int update, Supplier<float[][]> weights, List<MicroBatch> batches, Optional<Set<String>> recomputed, Optional<Places> places) {
        public Work {
            batches = List.copyOf(batches);
        }
    }

    /// The run's own device; to be called on the thread that calls {@link Crew#compute}.
    @FunctionalInterface
    interface Here {
        Computed compute(MicroBatch batch, LongConsumer progress);
    }

    /// Takes what was computed, from any thread.
    interface Done {
        /// @param number of the micro-batch in the list
        void take(int number, Computed computed);

        /// @param work units that are done beside those before
        /// @throws RuntimeException if the run is to stop
        void progressed(long work);
    }

    /// Computes all micro-batches, each once, in any order.
    void compute(Work work, Here here, Done done);
}
