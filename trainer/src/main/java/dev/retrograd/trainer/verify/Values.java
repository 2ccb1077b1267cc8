package dev.retrograd.trainer.verify;

import dev.retrograd.core.Shape;
import dev.retrograd.core.io.SafeTensors;
import java.io.IOException;
import java.util.Arrays;
import java.util.stream.IntStream;

/// Numbers of a shape on the host, in the axes' order of the ecosystem's files, as doubles: they hold every float32 and every int32 exactly.
record Values(Shape shape, double[] numbers) {

    static Values of(Shape shape, float... numbers) {
        return new Values(shape, IntStream.range(0, numbers.length).mapToDouble(i -> numbers[i]).toArray());
    }

    static Values scalar(double number) {
        return new Values(Shape.of(), new double[] {number});
    }

    static Values vector(double... numbers) {
        return new Values(Shape.of(numbers.length), numbers);
    }

    /// A tensor of a file, floating-point or integer.
    static Values read(SafeTensors file, String name) throws IOException {
        Shape shape = file.spec(name).shape();
        return file.spec(name).dtype().floating() ? of(shape, file.floats(name)) : new Values(shape, Arrays.stream(file.longs(name)).asDoubleStream().toArray());
    }

    /// The first entries of the first axis.
    Values leading(int count) {
        Shape part = shape.with(0, count);
        return new Values(part, Arrays.copyOf(numbers, Math.toIntExact(part.elements())));
    }

    /// The sizes other than 1: what tells `[32,32,1,1]` from `[32,32]` is how a file writes it, not what it holds.
    int[] sizes() {
        return Arrays.stream(shape.toArray()).filter(d -> d != 1).toArray();
    }
}
