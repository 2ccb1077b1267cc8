package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.file.Component;
import dev.retrograd.unet.file.Halves;
import dev.retrograd.unet.file.ModelFiles;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// The files of a {@link RandomModel}, of which there are none: each tensor is made when it is read.
///
/// @param shapes the same model without values
/// @param dtype that weights rest in
record RandomFiles(ModelFiles shapes, DType dtype, long seed) implements ModelFiles {

    @Override public String source() {
        return shapes.source();
    }

    @Override public ModelConfig config(Component component) throws IOException {
        return shapes.config(component);
    }

    @Override public TensorFile weights(Component component) throws IOException {
        TensorFile file = shapes.weights(component);
        Map<String, Shape> named = new HashMap<>();
        for (String name : file.names()) {
            named.put(name, file.shape(name));
        }
        return new RandomFile(file, dtype, seed, SeededWeights.fanIns(named));
    }

    /// False: nothing is there to be mapped.
    @Override public boolean large() {
        return false;
    }

    @Override public ClipTokenizer tokenizer() throws IOException {
        return shapes.tokenizer();
    }

    @Override public void writeTokenizer(Path folder) throws IOException {
        shapes.writeTokenizer(folder);
    }

    @Override public List<String> notes() {
        return shapes.notes();
    }

    @Override public void close() {
        shapes.close();
    }

    private record RandomFile(TensorFile shapes, DType dtype, long seed, Map<String, Integer> fanIns) implements TensorFile {
        @Override public String source() {
            return shapes.source();
        }

        @Override public Set<String> names() {
            return shapes.names();
        }

        @Override public Spec spec(String name) throws ModelFormatException {
            return shapes.spec(name).with(dtype);
        }

        @Override public MemorySegment bytes(String name) throws ModelFormatException {
            return Halves.bytes(SeededWeights.initial(seed, name, shapes.shape(name), new HashMap<>(fanIns)), dtype);
        }

        @Override public void close() {
            shapes.close();
        }
    }
}
