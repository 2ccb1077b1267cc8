package dev.retrograd.core.reference;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendContract;
import org.junit.jupiter.api.Test;

/// The contract asks for no more than float32 gives: its own naive loops fulfil it, but where it asks for better sums than theirs.
class NaiveBackendTest extends BackendContract {

    @Override protected Backend open() {
        return ReferenceBackend.float32();
    }

    @Override @Test public void longSumsKeepTheirDigits() {
        AssertionError e = assertThrows(AssertionError.class, super::longSumsKeepTheirDigits);
        assertTrue(e.getMessage().startsWith("sumTo of 300000 [] F32: at [0] expected 300"), e.getMessage());
    }
}
