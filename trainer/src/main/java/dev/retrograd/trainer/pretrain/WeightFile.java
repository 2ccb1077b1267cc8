package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.io.SafeTensorsWriter;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;

/// Writes a model's weights as the ecosystem lays them out: kernels `[O,I,Kh,Kw]`, in half precision.
final class WeightFile {
    private static final int KERNEL_RANK = 4;
    private static final int[] TO_CHANNELS_FIRST = {0, 3, 1, 2};

    private WeightFile() {
    }

    /// Writes a file, and its folder if there is none.
    static void write(Path file, Backend backend, Collection<Parameter> parameters) throws IOException {
        SafeTensorsWriter writer = new SafeTensorsWriter().metadata("format", "pt");
        for (Parameter p : parameters) {
            writer.add(p.name(), new Spec(p.fileShape(), DType.F16), () -> half(backend, p));
        }
        Files.createDirectories(file.toAbsolutePath().getParent());
        writer.write(file);
    }

    private static MemorySegment half(Backend backend, Parameter p) {
        try (Scope _ = backend.memory().open(p.name())) {
            Tensor value = p.value();
            if (p.fileShape().rank() == KERNEL_RANK && value.shape().rank() == KERNEL_RANK) {
                Shape s = value.shape();
                Tensor relaid = backend.empty(p.name(), value.spec().with(Shape.of(s.dim(0), s.dim(3), s.dim(1), s.dim(2))));
                backend.permute(value, TO_CHANNELS_FIRST, relaid);
                value = relaid;
            }
            Tensor half = backend.empty(p.name(), value.spec().with(DType.F16));
            backend.convert(value, half);
            MemorySegment bytes = MemorySegment.ofArray(new byte[Math.toIntExact(half.spec().bytes())]);
            backend.download(half, bytes);
            return bytes;
        }
    }
}
