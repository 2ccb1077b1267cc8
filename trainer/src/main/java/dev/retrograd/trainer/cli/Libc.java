package dev.retrograd.trainer.cli;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.lang.invoke.MethodHandles;
import java.util.function.IntBinaryOperator;
import java.util.function.IntSupplier;
import java.util.function.IntUnaryOperator;
import java.util.function.LongToIntFunction;

/// The few calls of the C library that Java has no name for. Each returns what C returns; −1 means failure.
final class Libc {

    private static final int PR_SET_PDEATHSIG = 1;

    private Libc() {}

    /// `getppid(2)`.
    static int parentPid() {
        return bind(IntSupplier.class, call("getppid", FunctionDescriptor.of(JAVA_INT))).getAsInt();
    }

    /// `prctl(PR_SET_PDEATHSIG, signal)`; Linux only.
    static int setParentDeathSignal(int signal) {
        MethodHandle prctl = call("prctl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG), Linker.Option.firstVariadicArg(1));
        return bind(LongToIntFunction.class, MethodHandles.insertArguments(prctl, 0, PR_SET_PDEATHSIG)).applyAsInt(signal);
    }

    /// `dup2(2)`.
    static int duplicate(int descriptor, int onto) {
        return bind(IntBinaryOperator.class, call("dup2", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT)))
                .applyAsInt(descriptor, onto);
    }

    /// `close(2)`.
    static int close(int descriptor) {
        return bind(IntUnaryOperator.class, call("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT))).applyAsInt(descriptor);
    }

    private static MethodHandle call(String function, FunctionDescriptor descriptor, Linker.Option... options) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(function), descriptor, options);
    }

    private static <T> T bind(Class<T> type, MethodHandle function) {
        return MethodHandleProxies.asInterfaceInstance(type, function);
    }
}
