package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.retrograd.core.Golden;
import dev.retrograd.core.Shape;
import dev.retrograd.core.io.SafeTensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DamagedFilesTest {

    private static final String UNET = "unet/diffusion_pytorch_model.safetensors";

    @TempDir
    private Path temp;

    /// A copy of the miniature model, of links: damage is done to a file of its own.
    private Path model() throws IOException {
        Path original = Golden.path("ci-sd/model").toAbsolutePath();
        Path copy = temp.resolve("model");
        try (Stream<Path> files = Files.walk(original)) {
            for (Path file : files.toList()) {
                Path target = copy.resolve(original.relativize(file));
                if (Files.isDirectory(file)) {
                    Files.createDirectories(target);
                } else {
                    Files.createSymbolicLink(target, file);
                }
            }
        }
        return copy;
    }

    private void replace(Path model, String file, byte[] content) throws IOException {
        Files.delete(model.resolve(file));
        Files.write(model.resolve(file), content);
    }

    private void refused(String named, String... args) {
        Path output = temp.resolve("runs/here");
        String[] all = Arrays.copyOf(args, args.length + 1);
        all[args.length] = "--output=" + output;
        CommandLineRun.train(all).failsWith(ExitCode.FAILED, named);
        assertFalse(Files.exists(temp.resolve("runs")), "no folder may be left");
    }

    @ParameterizedTest
    @ValueSource(strings = {"scheduler/scheduler_config.json", "tokenizer/merges.txt", "tokenizer/tokenizer_config.json", "text_encoder/config.json",
        "text_encoder/model.safetensors", "unet/config.json", UNET, "vae/config.json", "vae/diffusion_pytorch_model.safetensors"})
    void everyModelFileIsNeededWhole(String file) throws IOException {
        Path model = model();
        String named = file.substring(0, file.indexOf('/'));
        byte[] whole = Files.readAllBytes(model.resolve(file));
        replace(model, file, Arrays.copyOf(whole, whole.length / 2));
        refused(named, "--model=" + model);
        replace(model, file, new byte[0]);
        refused(named, "--model=" + model);
        Files.delete(model.resolve(file));
        refused(named, "--model=" + model);
        Files.createDirectory(model.resolve(file));
        refused(named, "--model=" + model);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"unet/config.json|\"layers_per_block\": 1|\"layers_per_block\": 1000000000", "unet/config.json|[32, 64, 64, 64]|[1073741824, 64, 64, 64]",
        "unet/config.json|[32, 64, 64, 64]|[32, 64, 64]", "unet/config.json|\"norm_num_groups\": 8|\"norm_num_groups\": 7", "unet/config.json|\"attention_head_dim\": 4|\"attention_head_dim\": 5",
        "unet/config.json|\"sample_size\": 8|\"sample_size\": 2147483647", "unet/config.json|\"DownBlock2D\"|\"AttnDownBlock2D\"", "unet/config.json|\"act_fn\": \"silu\"|\"act_fn\": \"relu\"",
        "unet/config.json|\"in_channels\": 4|\"in_channels\": 9", "unet/config.json|\"in_channels\": 4|\"in_channels\": 4, \"surprise\": 1", "unet/config.json|\"in_channels\": 4|\"in_channels\": 4, \"in_channels\": 4",
        "vae/config.json|[32, 32, 32, 32]|[1073741824, 32, 32, 32]", "vae/config.json|\"layers_per_block\": 1|\"layers_per_block\": 1000000000", "vae/config.json|\"norm_num_groups\": 8|\"norm_num_groups\": 0",
        "text_encoder/config.json|\"hidden_size\": 16|\"hidden_size\": 1073741824", "text_encoder/config.json|\"num_hidden_layers\": 2|\"num_hidden_layers\": 1000000000",
        "text_encoder/config.json|\"max_position_embeddings\": 77|\"max_position_embeddings\": 2147483647", "scheduler/scheduler_config.json|\"num_train_timesteps\": 1000|\"num_train_timesteps\": 1000000000",
        "scheduler/scheduler_config.json|\"scaled_linear\"|\"sigmoid\"", "tokenizer/tokenizer_config.json|\"model_max_length\": 77|\"model_max_length\": 1000000"})
    void configurationsThatTheWeightsDoNotFitAreRefused(String file, String from, String to) throws IOException {
        Path model = model();
        String text = Files.readString(model.resolve(file));
        assertEquals(true, text.contains(from), file + " must contain " + from);
        replace(model, file, text.replace(from, to).getBytes(StandardCharsets.UTF_8));
        CommandLineRun run = CommandLineRun.of("train", "--model=" + model, "--updates=1", "--batch-size=1", "--steps=2", "--prompt=x", "--output=" + temp.resolve("out"));
        run.failsWith(run.code(), "");
        assertFalse(run.code() == ExitCode.DONE || Files.exists(temp.resolve("out")), run.err());
    }

    @Test
    void weightsThatAreNotFiniteAreNamed() throws IOException {
        Path model = model();
        byte[] bytes = Files.readAllBytes(model.resolve(UNET));
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putFloat(bytes.length - 4, Float.NaN);
        replace(model, UNET, bytes);
        refused("must be finite, got NaN", "--model=" + model);
    }

    @Test
    void promptFilesMustHavePromptsInUtf8() throws IOException {
        Path empty = Files.writeString(temp.resolve("empty.txt"), " \n\n");
        refused("empty.txt", "--prompts=" + empty);
        Path latin = Files.write(temp.resolve("latin.txt"), new byte[] {'c', 'a', 'f', (byte) 0xE9});
        refused("UTF-8", "--prompts=" + latin);
        refused("nowhere", "--prompts=" + temp.resolve("nowhere"));
    }

    @Test
    void lorasMustBeWholeFiniteAndOfThisModel() throws IOException {
        String module = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.";
        refused("absent", "--lora=" + temp.resolve("absent"));
        Path file = temp.resolve("lora.safetensors");
        new SafeTensorsWriter().write(file);
        refused("lora.safetensors", "--lora=" + file);
        new SafeTensorsWriter().add(module + "lora_A.weight", Shape.of(1, 32), new float[32]).write(file);
        refused("is missing", "--lora=" + file);
        new SafeTensorsWriter().add(module + "lora_A.weight", Shape.of(1, 31), new float[31]).add(module + "lora_B.weight", Shape.of(32, 1), new float[32]).write(file);
        refused("31", "--lora=" + file);
        float[] bad = new float[32];
        bad[5] = Float.POSITIVE_INFINITY;
        new SafeTensorsWriter().add(module + "lora_A.weight", Shape.of(1, 32), bad).add(module + "lora_B.weight", Shape.of(32, 1), new float[32]).write(file);
        refused("must be finite", "--lora=" + file);
        String text = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.";
        new SafeTensorsWriter().add(text + "lora_A.weight", Shape.of(1, 64), new float[64]).add(text + "lora_B.weight", Shape.of(64, 1), new float[64]).write(file);
        refused("text encoder", "--lora=" + file);
        Files.write(file, new byte[] {1, 2, 3});
        refused("lora.safetensors", "--lora=" + file);
    }

    @Test
    void outputThatCannotBeAFolderIsNamed() throws IOException {
        Path file = Files.writeString(temp.resolve("file"), "precious");
        for (String output : List.of(file.toString(), file + "/below", "/proc/nowhere/run")) {
            CommandLineRun.train("--output=" + output).failsWith(ExitCode.FAILED, output.substring(0, 5));
            CommandLineRun.of("sample", "--prompt=x", "--output=" + output).failsWith(ExitCode.FAILED, output.substring(0, 5));
        }
        assertEquals("precious", Files.readString(file));
    }
}
