package dev.retrograd.core.reference;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendContract;
import dev.retrograd.core.DType;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/// The contract asks for no more than float32 gives, nor in 16 bits for more than one rounding of each result: naive loops fulfil it, but where it
/// asks for better sums than theirs.
class NaiveBackendTest {

    abstract static class Naive extends BackendContract {
        @Override protected Backend open() {
            return RoundingBackend.of(ReferenceBackend.float32(), activations());
        }

        @Override @Test public void longSumsKeepTheirDigits() {
            AssertionError e = assertThrows(AssertionError.class, super::longSumsKeepTheirDigits);
            assertTrue(e.getMessage().startsWith("sumTo of 300000 [] F32: at [0] expected 300"), e.getMessage());
        }
    }

    @Nested class InFloat32 extends Naive {
    }

    @Nested class InBfloat16 extends Naive {
        @Override protected DType activations() {
            return DType.BF16;
        }
    }
}
