package dev.retrograd.trainer;

import dev.retrograd.unet.text.ClipTokenizer;
import dev.retrograd.unet.text.TokenizerFiles;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// The model inside the jar, unpacked into a temporary folder while it is open: weights are read by mapping files.
public final class EmbeddedModel implements AutoCloseable {
    private static final String RESOURCES = "/dev/retrograd/trainer/model/";
    private static final List<String> FILES = List.of("scheduler/scheduler_config.json",
            "tokenizer/vocab.json", "tokenizer/merges.txt", "tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json",
            "text_encoder/config.json", "text_encoder/model.safetensors",
            "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
            "vae/config.json", "vae/diffusion_pytorch_model.safetensors");

    private final Path folder;

    private EmbeddedModel(Path folder) {
        this.folder = folder;
    }

    /// @throws IOException if the temporary folder cannot be written
    public static EmbeddedModel unpack() throws IOException {
        EmbeddedModel model = new EmbeddedModel(Files.createTempDirectory("retrograd-model-"));
        boolean done = false;
        try {
            for (String file : FILES) {
                Path target = model.folder.resolve(file);
                Files.createDirectories(target.getParent());
                try (InputStream in = EmbeddedModel.class.getResourceAsStream(RESOURCES + file)) {
                    if (in == null) {
                        throw new IOException("the embedded model lacks " + file + "; the jar is damaged, build it again");
                    }
                    Files.copy(in, target);
                }
            }
            done = true;
            return model;
        } finally {
            if (!done) {
                model.close();
            }
        }
    }

    /// The tokenizer of the model inside the jar, which is CLIP's.
    ///
    /// @throws IOException if the jar is damaged
    public static ClipTokenizer tokenizer() throws IOException {
        return ClipTokenizer.load(TokenizerFiles.resources(EmbeddedModel.class.getClassLoader(), (RESOURCES + "tokenizer").substring(1)), "the tokenizer inside the jar");
    }

    /// A diffusers folder.
    public Path folder() {
        return folder;
    }

    @Override public void close() throws IOException {
        OutputFolder.deleteTree(folder);
    }
}
