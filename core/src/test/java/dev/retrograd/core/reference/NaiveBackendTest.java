package dev.retrograd.core.reference;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Backend;
import dev.retrograd.core.BackendContract;
import dev.retrograd.core.DType;
import dev.retrograd.core.contract.ContractCase;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// The contract asks for no more than float32 gives, nor in 16 bits for more than one rounding of each result: naive loops fulfil it, but where it
/// asks for better sums than theirs.
class NaiveBackendTest {

    @TestFactory Stream<DynamicTest> inFloat32() {
        return naive(DType.F32);
    }

    @TestFactory Stream<DynamicTest> inBfloat16() {
        return naive(DType.BF16);
    }

    private static Stream<DynamicTest> naive(DType activations) {
        return BackendContract.tests(activations + " ", ContractCase.all(), (c, seed) -> {
            try (Backend naive = RoundingBackend.of(ReferenceBackend.float32(), activations)) {
                if (c.name().equals("longSumsKeepTheirDigits")) {
                    AssertionError e = assertThrows(AssertionError.class, () -> c.run(naive, seed));
                    assertTrue(e.getMessage().startsWith("sumTo of 300000 [] F32: at [0] expected 300"), e.getMessage());
                } else {
                    c.run(naive, seed);
                }
            }
        });
    }
}
