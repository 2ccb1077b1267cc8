package dev.retrograd.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.cpu.CpuBackend;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ArenaTest {
    private static final int STEPS = 400;

    /// Nested scopes with tensors of random sizes, some kept beyond their scope; every tensor is filled with its number, and read before it goes.
    private static List<Float> wander(Backend b, long seed, int extra) {
        RandomStream random = new RandomStream(seed);
        List<Float> read = new ArrayList<>();
        Deque<Scope> scopes = new ArrayDeque<>();
        Deque<List<Tensor>> tensors = new ArrayDeque<>();
        try (Scope piece = b.memory().open("piece")) {
            tensors.push(new ArrayList<>());
            for (int i = 0; i < STEPS; i++) {
                long what = Integer.remainderUnsigned((int) random.nextU64(), 8);
                if (what == 0 || scopes.isEmpty()) {
                    scopes.push(b.memory().open("scope " + i));
                    tensors.push(new ArrayList<>());
                } else if (what == 1) {
                    List<Tensor> gone = tensors.pop();
                    gone.forEach(t -> read.add(read(b, t)));
                    if (!gone.isEmpty() && b.computes()) {
                        read.add(-1f);
                    }
                    if (gone.size() > 1) {
                        tensors.peek().add(scopes.peek().keep(gone.getFirst()));
                    }
                    scopes.pop().close();
                } else {
                    int size = 1 + Integer.remainderUnsigned((int) random.nextU64(), 1 << 1 + what) + (i == extra ? 1000 : 0);
                    Tensor t = b.empty("t" + i, Spec.f32(size));
                    b.fill(t, i);
                    tensors.peek().add(t);
                }
            }
            while (!scopes.isEmpty()) {
                tensors.pop().forEach(t -> read.add(read(b, t)));
                scopes.pop().close();
            }
            tensors.pop().forEach(t -> read.add(read(b, t)));
            assertEquals("piece", piece.name());
        }
        return read;
    }

    private static float read(Backend b, Tensor t) {
        if (!b.computes()) {
            return 0;
        }
        float[] values = b.toFloats(t);
        for (float v : values) {
            assertEquals(values[0], v, t.name() + " was overwritten");
        }
        return values[0];
    }

    private static ArenaPlan plan(long seed) {
        return plan(seed, new Lifetimes("piece"));
    }

    private static ArenaPlan plan(long seed, Lifetimes lifetimes) {
        try (PlanBackend plan = new PlanBackend("cpu", 0)) {
            plan.memory().observe(lifetimes);
            wander(plan, seed, -1);
            return lifetimes.plans().getFirst();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void tensorsLieInOneBlockWhereThePlanPutThemAndKeepTheirValues(long seed) {
        keepValues(seed, plan(seed));
        keepValues(seed, plan(seed, new Lifetimes("piece", name -> name.startsWith("scope"))));
    }

    private static void keepValues(long seed, ArenaPlan plan) {
        try (CpuBackend plain = new CpuBackend(); CpuBackend laid = new CpuBackend()) {
            List<Float> expected = wander(plain, seed, -1);
            laid.memory().replay("piece", plan);
            for (int i = 0; i < 3; i++) {
                assertEquals(expected, wander(laid, seed, -1));
                assertEquals(plan.bytes(), laid.reservedBytes(), "all of it lies in the arena");
            }
            assertEquals(0, laid.memory().endReplay());
            assertEquals(plain.memory().peakBytes(), laid.memory().peakBytes());
            assertEquals(0, laid.memory().liveBytes());
            laid.memory().releaseArena();
            assertEquals(0, laid.reservedBytes());
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void aRunThatDiffersFromItsPlanIsCountedAndKeepsItsValues(long seed) {
        ArenaPlan plan = plan(seed + 100);
        try (CpuBackend plain = new CpuBackend(); CpuBackend laid = new CpuBackend()) {
            laid.memory().replay("piece", plan);
            assertEquals(wander(plain, seed, 200), wander(laid, seed, 200));
            assertTrue(laid.memory().endReplay() > 0);
        }
    }

    @Test void whatOutlivesThePieceLiesElsewhere() {
        long[] sizes = {64, 256, 300};
        ArenaPlan plan = ArenaPlan.of(sizes, 0, 1, ~1, 2, ~2);
        assertArrayEquals(new long[] {ArenaPlan.ELSEWHERE, 0, 0}, new long[] {plan.offset(0), plan.offset(1), plan.offset(2)});
        assertEquals(512, plan.bytes());
    }

    @Test void theSmallestGapThatHoldsATensorIsTaken() {
        long[] sizes = {512, 256, 256, 256, 1024, 256, 512};
        ArenaPlan plan = ArenaPlan.of(sizes, 0, 1, 2, 3, 4, ~0, ~2, 5, 6, ~1, ~3, ~4, ~5, ~6);
        assertEquals(plan.offset(2), plan.offset(5), "256 into the gap of 256");
        assertEquals(plan.offset(0), plan.offset(6), "512 into the gap of 512");
        assertEquals(512 + 3 * 256 + 1024, plan.bytes());
    }

    /// Each part makes what is kept, and between that what is not.
    @Test void partsThatAreAlikeFindTheirTensorsAtTheSamePlaces() {
        long[] sizes = {512, 256, 1024, 512, 256, 1024};
        int[] events = {0, 1, 2, ~0, ~2, 3, 4, 5, ~3, ~5, ~1, ~4};
        ArenaPlan apart = ArenaPlan.of(sizes, events, new int[] {0, 5, 5, 10});
        assertArrayEquals(new long[] {0, 1536, 512, 0, 1792, 512}, offsets(apart));
        assertEquals(2048, apart.bytes());
        ArenaPlan shared = ArenaPlan.of(sizes, events);
        assertArrayEquals(new long[] {0, 512, 768, 0, 768, 1024}, offsets(shared));
        assertEquals(2048, shared.bytes());
    }

    /// Parts that keep much, and others that do much: behind each other they would take twice the room.
    @Test void wherePartsApartWouldTakeMuchMoreAllShareTheBlock() {
        long[] sizes = {1024, 1024, 256};
        int[] events = {0, ~0, 2, 1, ~1, ~2};
        ArenaPlan plan = ArenaPlan.of(sizes, events, new int[] {1, 1, 3, 5});
        assertEquals(1280, plan.bytes());
        assertArrayEquals(offsets(ArenaPlan.of(sizes, events)), offsets(plan));
    }

    private static long[] offsets(ArenaPlan plan) {
        return IntStream.range(0, plan.allocations()).mapToLong(plan::offset).toArray();
    }

    @Test void aTensorThatStaysInTheBlockAgainstThePlanIsNamed() {
        ArenaPlan plan = ArenaPlan.of(new long[] {64}, 0, ~0);
        try (CpuBackend b = new CpuBackend()) {
            b.memory().replay("piece", plan);
            try (Scope _ = b.memory().open("around")) {
                try (Scope piece = b.memory().open("piece")) {
                    piece.keep(b.empty("kept", Spec.f32(3)));
                }
                IllegalStateException e = assertThrows(IllegalStateException.class, () -> b.memory().endReplay());
                assertTrue(e.getMessage().contains("kept"), e.getMessage());
            }
        }
    }
}
