package dev.retrograd.unet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.Golden;
import dev.retrograd.core.Scope;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.testing.Close;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.unet.file.ModelFiles;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/// Skipping the text encoder's last layers.
class ClipSkipTest {
    private static ModelFiles.Options skipping(int layers) {
        return new ModelFiles.Options(Optional.empty(), Optional.empty(), layers);
    }

    /// `hidden_states[-2]` of transformers, normalised by the final layer: written out in float64.
    @Test void anEarlierLayersOutputIsNormalisedInsteadOfTheLast() throws IOException {
        try (CpuBackend b = new CpuBackend(); StableDiffusion plain = StableDiffusion.load(b, Golden.path("ci-sd/model")); StableDiffusion model = StableDiffusion.load(b, Golden.path("ci-sd/model"), skipping(1));
                SafeTensors weights = SafeTensors.open(Golden.path("ci-sd/model/text_encoder/model.safetensors")); Scope _ = b.memory().open("test"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            int[][] ids = model.tokenize(List.of("a red fox", ""));
            float[] got = b.toFloats(model.encodeText(ids));
            float[] hidden = tape.unrecorded(() -> b.toFloats(plain.textEncoder().forward(tape, ids).hiddenStates().get(1).value()));
            float[] gamma = weights.floats("text_model.final_layer_norm.weight");
            float[] beta = weights.floats("text_model.final_layer_norm.bias");
            double[] expected = new double[hidden.length];
            int width = gamma.length;
            for (int row = 0; row < hidden.length; row += width) {
                double mean = 0;
                double squares = 0;
                for (int i = row; i < row + width; i++) {
                    mean += hidden[i] / width;
                    squares += (double) hidden[i] * hidden[i] / width;
                }
                for (int i = 0; i < width; i++) {
                    expected[row + i] = (hidden[row + i] - mean) / Math.sqrt(squares - mean * mean + 1e-5) * gamma[i] + beta[i];
                }
            }
            Close.relativeL2("clip skip 1", expected, Close.widened(got), 1e-5);
            assertArrayEquals(b.toFloats(plain.encodeText(ids)), tape.unrecorded(() -> b.toFloats(plain.textEncoder().forward(tape, ids).last().value())));
        }
    }

    @Test void moreThanAllButOneLayerAreRefused() throws IOException {
        try (CpuBackend b = new CpuBackend()) {
            assertEquals("--clip-skip: must be 0..1 for a text encoder of 2 layers, got 2",
                    assertThrows(IllegalArgumentException.class, () -> StableDiffusion.load(b, Golden.path("ci-sd/model"), skipping(2))).getMessage());
            assertEquals(0, b.memory().liveBytes());
        }
    }
}
