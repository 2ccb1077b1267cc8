package dev.retrograd.core.reference;

import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Collection;
import java.util.stream.Stream;

/// A reference backend as a device that computes in 16-bit activations has it: float arithmetic inside a kernel, and every tensor of `F16` or
/// `BF16` rounded to its type when the kernel is done. A fused kernel thus rounds once, and a composed one too.
///
/// Over {@link ReferenceBackend#float32()} it is the naive computation that tolerances in 16 bits are measured by; operands of float32 beside results
/// of 16 bits are rounded there as well ({@link Values#operand}).
public final class RoundingBackend {
    private RoundingBackend() {
    }

    /// @param activations what {@link Backend#activations()} says
    public static Backend of(ReferenceBackend inner, DType activations) {
        return (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (_, method, arguments) -> {
            if (method.getName().equals("activations")) {
                return activations;
            }
            try {
                Object result = method.invoke(inner, arguments);
                if (arguments != null && !method.getName().equals("download")) {
                    Stream.concat(Stream.of(arguments), Stream.ofNullable(result)).flatMap(RoundingBackend::tensors).forEach(RoundingBackend::round);
                }
                return result;
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }

    private static Stream<Tensor> tensors(Object argument) {
        return switch (argument) {
            case Tensor t -> Stream.of(t);
            case Tensor[] all -> Stream.of(all);
            case Collection<?> all -> all.stream().filter(Tensor.class::isInstance).map(Tensor.class::cast);
            default -> Stream.empty();
        };
    }

    private static void round(Tensor t) {
        if (unitRoundoff(t.dtype()) > 0) {
            Values v = Values.of(t);
            for (int i = v.start(); i < v.start() + v.length(); i++) {
                v.array()[i] = ReferenceElementwise.rounded(v.array()[i], t.dtype());
            }
        }
    }

    /// Largest relative error of one rounding to a 16-bit type; 0 for the others.
    public static double unitRoundoff(DType type) {
        return switch (type) {
            case BF16 -> 0x1p-8;
            case F16 -> 0x1p-11;
            default -> 0;
        };
    }
}
