package dev.retrograd.core;

import dev.retrograd.cuda.KernelFamilies;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;

/// Runs a family's part of the contract on the emulator. One backend serves all tests of a class, since reading PTX takes time.
abstract class CudaFamilyTest implements Contract {
    private static final long SEED = 20;
    private static final double SLACK = 1e-6;
    private static Backend backend;
    private Twins twins;

    @BeforeAll static void open() {
        backend = KernelFamilies.open();
    }

    @AfterAll static void close() {
        backend.close();
    }

    @BeforeEach void openTwins() {
        twins = new Twins(backend, SLACK, SEED);
    }

    @AfterEach void closeTwins() {
        twins.close();
    }

    @Override public Twins twins() {
        return twins;
    }
}
