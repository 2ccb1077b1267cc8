package dev.retrograd.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class MemoryTest {
    private final List<String> freed = new ArrayList<>();
    private final Memory memory = new Memory("test", Recorded::new);

    private final class Recorded extends Storage {
        Recorded(String name, long bytes) {
            super(name, bytes);
        }

        @Override protected void free() {
            freed.add(name());
        }
    }

    private Tensor tensor(String name, int floats) {
        return memory.allocate(name, Spec.f32(floats));
    }

    @Test void everyAllocationIsRoundedUpToTheAlignment() {
        tensor("one", 1);
        assertEquals(64, memory.liveBytes());
        tensor("none", 0);
        assertEquals(128, memory.liveBytes());
        tensor("seventeen", 17);
        assertEquals(256, memory.liveBytes());
        assertEquals(3, memory.allocations());
    }

    @Test void aScopeFreesWhatItOwnsAndLiveBytesReturnToZero() {
        try (Scope _ = memory.open("step")) {
            tensor("a", 16);
            tensor("b", 16);
        }
        assertEquals(List.of("a", "b"), freed);
        assertEquals(0, memory.liveBytes());
        assertEquals(128, memory.peakBytes());
    }

    @Test void thePeakIsTheMostThatLivedAtOnceAndCanBeReset() {
        try (Scope _ = memory.open("first")) {
            tensor("a", 64);
        }
        try (Scope _ = memory.open("second")) {
            tensor("b", 16);
            tensor("c", 16);
        }
        assertEquals(256, memory.peakBytes());
        Tensor kept = tensor("d", 16);
        memory.resetPeak();
        assertEquals(64, memory.peakBytes());
        kept.storage().retain();
        assertEquals(64, memory.peakBytes());
    }

    @Test void aKeptTensorMovesOneScopeOut() {
        Tensor result;
        try (Scope outer = memory.open("outer")) {
            try (Scope inner = memory.open("inner")) {
                tensor("scratch", 16);
                result = inner.keep(tensor("result", 16));
                assertSame(result, inner.keep(result), "a tensor that lives further out stays where it is");
            }
            assertEquals(List.of("scratch"), freed);
            assertTrue(result.storage().alive());
            assertSame(memory.current(), outer);
        }
        assertEquals(List.of("scratch", "result"), freed);
    }

    @Test void keepingAViewKeepsItsStorage() {
        try (Scope _ = memory.open("outer")) {
            Tensor view;
            try (Scope inner = memory.open("inner")) {
                view = inner.keep(tensor("x", 12).reshape(3, 4).leading(1, 2));
            }
            assertEquals(Shape.of(2, 4), view.shape());
            assertEquals(16, view.byteOffset());
            assertTrue(view.storage().alive());
        }
    }

    @Test void refusesToKeepATensorOfAnInnerOpenScope() {
        Scope outer = memory.open("outer");
        Scope inner = memory.open("inner");
        Tensor x = tensor("x", 1);
        assertEquals("scope 'outer': 'x' belongs to the open scope 'inner' inside it",
                assertThrows(IllegalStateException.class, () -> outer.keep(x)).getMessage());
        inner.close();
        outer.close();
    }

    @Test void aRetainedTensorOutlivesItsScope() {
        Tensor x;
        try (Scope _ = memory.open("step")) {
            x = tensor("saved", 16);
            x.storage().retain();
            assertEquals(2, x.storage().holders());
        }
        assertTrue(x.storage().alive());
        assertEquals(64, memory.liveBytes());
        x.storage().release("the tape");
        assertEquals(0, memory.liveBytes());
        assertEquals("memory: 'saved' used after it was freed by the tape",
                assertThrows(IllegalStateException.class, x::storage).getMessage());
    }

    @Test void useAfterFreeNamesTheTensorAndTheScope() {
        Tensor x;
        try (Scope _ = memory.open("step 3")) {
            x = tensor("eps", 16);
        }
        String message = "memory: 'eps' used after it was freed by the end of scope 'step 3'";
        assertEquals(message, assertThrows(IllegalStateException.class, x::storage).getMessage());
        assertEquals(message, assertThrows(IllegalStateException.class, () -> x.reshape(4, 4)).getMessage());
        assertEquals(message, assertThrows(IllegalStateException.class, () -> memory.open("later").keep(x)).getMessage());
    }

    @Test void freeingTwiceIsRefused() {
        Storage storage = tensor("x", 1).storage();
        storage.release("a test");
        assertEquals("memory: 'x' freed twice, by a test and by another",
                assertThrows(IllegalStateException.class, () -> storage.release("another")).getMessage());
        assertThrows(IllegalStateException.class, storage::retain);
        assertFalse(storage.alive());
        assertEquals(List.of("x"), freed);
    }

    @Test void scopesCloseInReverseOrder() {
        Scope outer = memory.open("outer");
        Scope inner = memory.open("inner");
        assertEquals("test > outer > inner", memory.path());
        assertEquals("scope 'outer': closed while 'inner', opened inside it, is still open",
                assertThrows(IllegalStateException.class, outer::close).getMessage());
        inner.close();
        inner.close();
        outer.close();
        assertEquals("test", memory.path());
        assertThrows(IllegalStateException.class, memory.current()::parent);
    }

    @Test void closingTheMemoryFreesTheRoot() {
        tensor("weights", 1000);
        memory.close();
        assertEquals(List.of("weights"), freed);
        assertEquals(0, memory.liveBytes());
    }
}
