package dev.retrograd.core;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A backend that measures another: while it is observed, every call is waited for and timed, so that what overlapped no longer does.
/// Values, tensors and memory are the other's own.
///
/// ```java
/// ProfiledBackend profiled = new ProfiledBackend(backend);
/// profiled.observe(call -> …);
/// … // computations on profiled.backend()
/// profiled.observe(ProfiledBackend.NOBODY);
/// ```
///
/// What a call costs in FLOPs and bytes is what {@link PlanBackend} counts for it; a transfer counts its bytes.
public final class ProfiledBackend {
    /// Measures nothing, and costs next to nothing.
    public static final Observer NOBODY = _ -> { };

    private static final Set<String> TRANSFERS = Set.of("upload", "download", "floats", "ints", "share", "toFloats", "startDownload", "startToFloats");
    private static final Set<String> OTHERS = Set.of("name", "memory", "computes", "activations", "precision", "workspaceBytes", "reservedBytes", "launches", "graphs", "empty", "synchronize", "close");

    private final Backend measured;
    private final Backend backend;
    private Observer observer = NOBODY;
    private long accounting;

    /// A call that is over.
    ///
    /// @param kernel as {@link PlanBackend#costs} names it, or that of the transfer
    /// @param scope innermost open one as it was called
    /// @param nanos until its results were there
    /// @param launches of the device's kernels; 0 on one that launches none
    public record Call(String kernel, Scope scope, long nanos, PlanBackend.Cost cost, long launches) {
    }

    /// Is shown every call.
    @FunctionalInterface
    public interface Observer {
        void called(Call call);
    }

    /// @param measured closed with {@link #backend}
    public ProfiledBackend(Backend measured) {
        this.measured = measured;
        backend = (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (_, method, arguments) -> call(method, arguments));
    }

    /// What to compute on.
    public Backend backend() {
        return backend;
    }

    /// Shows every call from now on to an observer, instead of the one so far; {@link #NOBODY} ends it.
    public void observe(Observer by) {
        observer = by;
    }

    /// Nanoseconds spent on observing so far, outside all calls.
    public long accountingNanos() {
        return accounting;
    }

    private Object call(Method method, Object... arguments) throws Throwable {
        if (observer == NOBODY || OTHERS.contains(method.getName()) || method.getDeclaringClass() == Object.class) {
            return invoke(measured, method, arguments);
        }
        Scope scope = measured.memory().current();
        long launches = measured.launches();
        long start = System.nanoTime();
        Object result = invoke(measured, method, arguments);
        measured.synchronize();
        long end = System.nanoTime();
        Map.Entry<String, PlanBackend.Cost> cost = TRANSFERS.contains(method.getName()) ? transfer(method, result, arguments) : count(method, arguments);
        observer.called(new Call(cost.getKey(), scope, end - start, cost.getValue(), measured.launches() - launches));
        accounting += System.nanoTime() - end;
        return result;
    }

    private static Object invoke(Backend on, Method method, Object... arguments) throws Throwable {
        try {
            return method.invoke(on, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    private static Map.Entry<String, PlanBackend.Cost> transfer(Method method, Object result, Object... arguments) {
        long bytes = 0;
        for (Object o : result instanceof Tensor ? new Object[] {result} : arguments) {
            bytes += o instanceof Tensor t ? t.spec().bytes() : 0;
        }
        return Map.entry(method.getName(), new PlanBackend.Cost(0, bytes, 1));
    }

    /// Makes the same call on tensors of the same shapes without values. One that is made of several is named as itself.
    private Map.Entry<String, PlanBackend.Cost> count(Method method, Object... arguments) throws Throwable {
        try (PlanBackend shapes = new PlanBackend(measured.name(), 0, measured.precision())) {
            Object[] same = new Object[arguments.length];
            for (int i = 0; i < same.length; i++) {
                same[i] = shape(shapes, arguments[i]);
            }
            shapes.resetCosts();
            invoke(shapes, method, same);
            Map<String, PlanBackend.Cost> costs = shapes.costs();
            String name = costs.size() == 1 ? costs.keySet().iterator().next() : method.getName();
            PlanBackend.Cost all = shapes.totalCost();
            return Map.entry(name, new PlanBackend.Cost(all.flops(), all.bytes(), 1));
        }
    }

    private static Object shape(PlanBackend shapes, Object argument) {
        return switch (argument) {
            case Tensor t -> shapes.empty(t.name(), t.spec());
            case Tensor[] all -> List.of(all).stream().map(t -> shapes.empty(t.name(), t.spec())).toArray(Tensor[]::new);
            case List<?> all -> all.stream().map(o -> shape(shapes, o)).toList();
            case OptimizerKernels.AdamWWeight(Tensor grad, Tensor p, Tensor m, Tensor v) -> new OptimizerKernels.AdamWWeight((Tensor) shape(shapes, grad), (Tensor) shape(shapes, p),
                    (Tensor) shape(shapes, m), (Tensor) shape(shapes, v));
            case null, default -> argument;
        };
    }
}
