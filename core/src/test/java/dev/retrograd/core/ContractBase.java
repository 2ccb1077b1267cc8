package dev.retrograd.core;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/// One backend under test, and its twins, for each test of a contract or of some of its families.
public abstract class ContractBase implements Contract {
    private static final long SEED = 20;
    private Backend backend;
    private Twins twins;

    /// The backend to test; asked for before every test.
    protected abstract Backend open();

    /// Called after every test; a subclass whose backends are slow to open keeps one until its last test instead.
    protected void close(Backend tested) {
        tested.close();
    }

    /// The type of activations that is tested.
    protected DType activations() {
        return DType.F32;
    }

    /// Relative error that is allowed beside twice the naive float32 computation's.
    protected double slack() {
        return 1e-6;
    }

    @BeforeEach void openTwins() {
        backend = open();
        twins = new Twins(backend, activations(), slack(), SEED);
    }

    @AfterEach void closeTwins() {
        twins.close();
        close(backend);
    }

    final Backend backend() {
        return backend;
    }

    @Override public Twins twins() {
        return twins;
    }
}
