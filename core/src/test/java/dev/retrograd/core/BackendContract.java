package dev.retrograd.core;

import dev.retrograd.core.contract.ContractCase;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;

/// Makes a test of each case of the contract, for one backend and type of activations.
public final class BackendContract {
    private static final long SEED = 20;

    private BackendContract() {
    }

    /// Tests on a backend of their own each.
    public static Stream<DynamicTest> tests(Supplier<Backend> open) {
        return tests("", ContractCase.all(), (c, seed) -> {
            try (Backend tested = open.get()) {
                c.run(tested, seed);
            }
        });
    }

    /// @param prefix of the tests' names
    /// @param run a case and the seed of its inputs
    public static Stream<DynamicTest> tests(String prefix, List<ContractCase> cases, BiConsumer<ContractCase, Long> run) {
        return cases.stream().map(c -> DynamicTest.dynamicTest(prefix + c, () -> run.accept(c, SEED)));
    }
}
