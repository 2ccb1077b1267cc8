package dev.retrograd.core.contract;

import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Precision;
import dev.retrograd.core.reference.RoundingBackend;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/// What every backend must fulfil, case by case: each kernel of {@link Backend} against the float64 reference, on odd sizes and the models' shapes, in
/// place, through views and with 16-bit weights; no allocation inside kernels; live and peak bytes as planned; equal bits on every run.
///
/// The cases of a family of kernels are the methods of one interface. Unit tests run them for every backend, and `gpu-check` on a device.
public final class ContractCase {
    private static final List<Class<? extends Contract>> FLOAT32_ONLY = List.of(GeneralContract.class, OptimizerContract.class, RandomContract.class);
    private static final List<Class<? extends Contract>> PRODUCTS = List.of(MatrixContract.class, ConvolutionContract.class);
    private static final List<Class<? extends Contract>> OF_ACTIVATIONS = List.of(ElementwiseContract.class, ReductionContract.class, MatrixContract.class, ConvolutionContract.class,
            AttentionContract.class, NormContract.class, ShapeContract.class, ImageContract.class);
    /// Beside twice the naive computation's error.
    private static final double SLACK = 1e-6;
    /// Products of operands rounded to 11 bits of mantissa, for which the naive computation has no type. A rounding is wrong by 2⁻¹¹ at most, and
    /// the gradient of a low-rank matrix is a product of four rounded numbers, in which other terms may cancel.
    private static final double TF32_SLACK = 4e-3;

    private final Method method;
    private final int size;

    private ContractCase(Method method, int size) {
        this.method = method;
        this.size = size;
    }

    /// All cases, in an order that does not change.
    public static List<ContractCase> all() {
        List<ContractCase> all = new ArrayList<>();
        FLOAT32_ONLY.forEach(f -> all.addAll(of(f)));
        OF_ACTIVATIONS.forEach(f -> all.addAll(of(f)));
        return all;
    }

    /// Those of what differs between precisions: all in float32, products in tf32, and what takes activations in 16 bits.
    public static List<ContractCase> all(Precision precision) {
        return switch (precision) {
            case F32 -> all();
            case TF32 -> PRODUCTS.stream().flatMap(f -> of(f).stream()).toList();
            case BF16, FP16 -> OF_ACTIVATIONS.stream().flatMap(f -> of(f).stream()).toList();
        };
    }

    private static List<ContractCase> of(Class<? extends Contract> family) {
        List<ContractCase> cases = new ArrayList<>();
        Method[] methods = family.getDeclaredMethods();
        Arrays.sort(methods, Comparator.comparing(Method::getName));
        for (Method m : methods) {
            if (m.isAnnotationPresent(AtSizes.class)) {
                Arrays.stream(AtSizes.SIZES).forEach(size -> cases.add(new ContractCase(m, size)));
            } else if (m.isAnnotationPresent(Case.class)) {
                cases.add(new ContractCase(m, 0));
            }
        }
        return cases;
    }

    /// The family of kernels: `attention`.
    public String family() {
        return method.getDeclaringClass().getSimpleName().replace("Contract", "").toLowerCase(Locale.ROOT);
    }

    /// What is claimed, and of which size: `linearLayersOfASize 64`.
    public String name() {
        return method.getName() + (size == 0 ? "" : " " + size);
    }

    @Override public String toString() {
        return family() + " " + name();
    }

    /// Runs the case in a backend's precision.
    ///
    /// @param seed of the inputs
    /// @throws AssertionError if the claim is wrong
    public void run(Backend backend, long seed) {
        run(backend, backend.activations(), slack(backend), seed);
    }

    /// The same for a backend that has another library do products: what follows one is computed from results that were rounded already.
    public void runRoundingTwice(Backend backend, long seed) {
        run(backend, backend.activations(), slack(backend) + RoundingBackend.unitRoundoff(backend.activations()), seed);
    }

    private static double slack(Backend backend) {
        return backend.precision() == Precision.TF32 ? TF32_SLACK : SLACK;
    }

    /// @param activations the type of tensors that no kernel holds in float32
    /// @param slack relative error that is allowed beside twice the naive float32 computation's
    private void run(Backend backend, DType activations, double slack, long seed) {
        try (Twins twins = new Twins(backend, activations, slack, seed)) {
            Contracts contracts = new Contracts(twins);
            if (size == 0) {
                method.invoke(contracts);
            } else {
                method.invoke(contracts, size);
            }
        } catch (InvocationTargetException e) {
            switch (e.getCause()) {
                case RuntimeException unexpected -> throw unexpected;
                case Error claim -> throw claim;
                default -> throw new AssertionError(this + ": cases throw no checked exception", e);
            }
        } catch (IllegalAccessException e) {
            throw new AssertionError(this + ": cases are public", e);
        }
    }

    /// Every family on the backends of one run.
    private record Contracts(Twins twins) implements GeneralContract, OptimizerContract, RandomContract, ElementwiseContract, ReductionContract, MatrixContract, ConvolutionContract,
            AttentionContract, NormContract, ShapeContract, ImageContract {
    }
}
