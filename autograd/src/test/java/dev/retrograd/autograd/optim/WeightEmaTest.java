package dev.retrograd.autograd.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Memory;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WeightEmaTest {
    private final Backend b = new CpuBackend();
    private final Parameter p = Weights.trainable(b, "p", 1, -2);

    @AfterEach void close() {
        p.close();
        b.close();
        assertEquals(0, b.memory().liveBytes(), "live bytes when all is closed");
    }

    private void set(float... values) {
        b.upload(MemorySegment.ofArray(values), p.value());
    }

    private float[] average(WeightEma ema) {
        try (WeightEma.Swap _ = ema.swapIn()) {
            return Weights.values(b, p);
        }
    }

    @Test void theDecayGrowsWithTheUpdates() {
        try (WeightEma ema = new WeightEma(b, List.of(p), 0.5)) {
            assertEquals(0, ema.decayAt(1));
            assertEquals(2.0 / 11, ema.decayAt(2));
            assertEquals(0.25, ema.decayAt(3));
            assertEquals(0.5, ema.decayAt(9));
            assertEquals(0.5, ema.decayAt(1_000_000));
        }
    }

    @Test void averagesTheWeights() {
        try (WeightEma ema = new WeightEma(b, List.of(p), 0.9)) {
            assertArrayEquals(new float[] {1, -2}, average(ema), "starts from the weights");
            set(10, 20);
            ema.update();
            assertArrayEquals(new float[] {10, 20}, average(ema), "the first update forgets the start");
            set(21, 9);
            ema.update();
            assertArrayEquals(new float[] {19, 11}, average(ema), 1e-5f, "2/11 of the average, 9/11 of the weight");
            assertArrayEquals(new float[] {21, 9}, Weights.values(b, p), "the weights are back");
        }
    }

    @Test void nothingHappensToAveragesThatStandInForWeights() {
        try (WeightEma ema = new WeightEma(b, List.of(p), 0.9)) {
            WeightEma.Swap swap = ema.swapIn();
            try (swap) {
                for (Runnable forbidden : List.<Runnable>of(ema::update, ema::swapIn, ema::state, ema::close)) {
                    String message = assertThrows(IllegalStateException.class, forbidden::run).getMessage();
                    assertEquals("ema: the averages must be swapped out before they are ", message.replaceAll("(updated|swapped in|saved|freed)$", ""));
                }
            }
            swap.close();
            assertArrayEquals(new float[] {1, -2}, Weights.values(b, p), "closing a swap twice does nothing");
        }
    }

    @Test void resumesFromItsState() {
        try (WeightEma ema = new WeightEma(b, List.of(p), 0.9); WeightEma resumed = new WeightEma(b, List.of(p), 0.9)) {
            for (int i = 0; i < 4; i++) {
                set(i, i * i);
                ema.update();
            }
            try (Scope _ = b.memory().open("save")) {
                Map<String, Tensor> state = ema.state();
                assertEquals(List.of("p.ema", "ema.updates"), List.copyOf(state.keySet()));
                resumed.restore(state);
                state = new LinkedHashMap<>(state);
                state.remove("p.ema");
                Map<String, Tensor> incomplete = state;
                assertEquals("ema: the saved state must hold 'p.ema', got none",
                        assertThrows(IllegalArgumentException.class, () -> resumed.restore(incomplete)).getMessage());
            }
            set(7, -7);
            ema.update();
            resumed.update();
            assertArrayEquals(average(ema), average(resumed));
        }
    }

    @Test void holdsOneTensorPerParameterUntilClosed() {
        long before = b.memory().liveBytes();
        WeightEma ema = new WeightEma(b, List.of(p), 0.9);
        assertEquals(before + Memory.ALIGNMENT, b.memory().liveBytes());
        ema.update();
        average(ema);
        assertEquals(before + Memory.ALIGNMENT, b.memory().liveBytes(), "updating and swapping leave nothing behind");
        ema.close();
        ema.close();
        assertEquals(before, b.memory().liveBytes());
        assertEquals("ema: decay must be in [0,1), got 1.0", assertThrows(IllegalArgumentException.class, () -> new WeightEma(b, List.of(p), 1)).getMessage());
    }
}
