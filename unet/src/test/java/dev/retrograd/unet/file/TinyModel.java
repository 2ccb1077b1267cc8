package dev.retrograd.unet.file;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Golden;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.unet.Layout;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.RandomWeights;
import dev.retrograd.unet.UNet;
import dev.retrograd.unet.UNetConfig;
import dev.retrograd.unet.text.ClipTextConfig;
import dev.retrograd.unet.text.ClipTextEncoder;
import dev.retrograd.unet.vae.VaeConfig;
import dev.retrograd.unet.vae.VaeDecoder;
import dev.retrograd.unet.vae.VaeEncoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A random model with the topology of SD 1.x or 2.x and few channels, as a diffusers folder and under LDM's names.
///
/// The names are worked out here on their own: blocks are numbered by arithmetic, as upstream's conversion script has it for two layers a level.
final class TinyModel {
    /// A tensor as files have it.
    record Values(Shape shape, float... values) {
    }

    final boolean second;
    final Map<String, Values> unet = new TreeMap<>();
    final Map<String, Values> vae = new TreeMap<>();
    final Map<String, Values> text = new TreeMap<>();

    /// @param second whether it is an SD 2.x
    TinyModel(boolean second) throws IOException {
        this.second = second;
        try (CpuBackend b = new CpuBackend(); RandomWeights w = new RandomWeights(b)) {
            new UNet(UNetConfig.of(config(unetJson())), w);
            take(b, w, unet);
        }
        try (CpuBackend b = new CpuBackend(); RandomWeights w = new RandomWeights(b)) {
            VaeConfig c = VaeConfig.of(config(VAE));
            new VaeDecoder(c, w);
            new VaeEncoder(c, w);
            take(b, w, vae);
        }
        try (CpuBackend b = new CpuBackend(); RandomWeights w = new RandomWeights(b)) {
            new ClipTextEncoder(ClipTextConfig.of(config(textJson())), w.in("text_model"));
            take(b, w, text);
        }
    }

    private static void take(CpuBackend b, RandomWeights w, Map<String, Values> to) {
        for (Parameter p : w.parameters().values()) {
            boolean kernel = p.fileShape().rank() == 4 && p.spec().shape().rank() == 4;
            to.put(p.name(), new Values(p.fileShape(), kernel ? Layout.channelsFirst(b, p.value()) : b.toFloats(p.value())));
        }
    }

    private static ModelConfig config(String json) throws IOException {
        return ModelConfig.of("tiny", new ObjectMapper().readTree(json));
    }

    private String unetJson() {
        return """
                {"sample_size": %s, "in_channels": 4, "out_channels": 4, "block_out_channels": [32, 32, 64, 64], "layers_per_block": 2, %s, "cross_attention_dim": 32,
                 "norm_num_groups": 32, "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
                 "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}"""
                .formatted(second ? 96 : 64, second ? "\"attention_head_dim\": [1, 1, 1, 1], \"use_linear_projection\": true" : "\"attention_head_dim\": 8");
    }

    private static final String VAE = """
            {"in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": [32, 32, 64, 64], "layers_per_block": 2, "norm_num_groups": 32,
             "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
             "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]}""";

    private String textJson() {
        return """
                {"vocab_size": 49408, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 1, "max_position_embeddings": 77,
                 "hidden_act": "%s", "eos_token_id": 2}""".formatted(second ? "gelu" : "quick_gelu");
    }

    /// Writes the diffusers folder.
    Path folder(Path root) throws IOException {
        write(root.resolve("unet/config.json"), unetJson());
        write(root.resolve("vae/config.json"), VAE);
        write(root.resolve("text_encoder/config.json"), textJson());
        String schedule = Files.readString(Golden.path("ci-sd/model/scheduler/scheduler_config.json"));
        write(root.resolve("scheduler/scheduler_config.json"), second ? schedule.replace("\"clip_sample\"", "\"prediction_type\": \"v_prediction\", \"clip_sample\"") : schedule);
        for (String name : new String[] {"merges.txt", "tokenizer_config.json"}) {
            Files.createDirectories(root.resolve("tokenizer"));
            Files.copy(Golden.path("ci-sd/model/tokenizer").resolve(name), root.resolve("tokenizer").resolve(name));
        }
        if (second) {
            Path options = root.resolve("tokenizer/tokenizer_config.json");
            write(options, Files.readString(options).replaceAll("\"pad_token\": *\"[^\"]*\"", "\"pad_token\": \"!\""));
        }
        write(root.resolve("unet/diffusion_pytorch_model.safetensors"), unet);
        write(root.resolve("vae/diffusion_pytorch_model.safetensors"), vae);
        write(root.resolve("text_encoder/model.safetensors"), text);
        return root;
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    static Path write(Path file, Map<String, Values> tensors) throws IOException {
        SafeTensorsWriter writer = new SafeTensorsWriter().metadata("format", "pt");
        tensors.forEach((name, v) -> writer.add(name, v.shape(), v.values()));
        writer.write(file);
        return file;
    }

    /// All tensors as a checkpoint names them.
    Map<String, Values> checkpoint() {
        Map<String, Values> all = new TreeMap<>();
        unet.forEach((name, v) -> all.put("model.diffusion_model." + unetName(name), v));
        vae.forEach((name, v) -> all.put("first_stage_model." + vaeName(name), name.contains("attentions.0.to_") && name.endsWith("weight")
                ? new Values(Shape.of(v.shape().dim(0), v.shape().dim(1), 1, 1), v.values()) : v));
        if (second) {
            openClip(all);
        } else {
            text.forEach((name, v) -> all.put("cond_stage_model.transformer." + name, v));
            all.put("cond_stage_model.transformer.text_model.embeddings.position_ids", new Values(Shape.of(1, 77), new float[77]));
        }
        all.put("betas", new Values(Shape.of(1000), new float[1000]));
        return all;
    }

    private static String unetName(String name) {
        Matcher m = Pattern.compile("(down|up)_blocks\\.(\\d)\\.(resnets|attentions)\\.(\\d)\\.(.*)").matcher(name);
        if (m.matches()) {
            int n = 3 * Integer.parseInt(m.group(2)) + Integer.parseInt(m.group(4));
            String block = m.group(1).equals("down") ? "input_blocks." + (n + 1) : "output_blocks." + n;
            return m.group(3).equals("resnets") ? block + ".0." + resnet(m.group(5)) : block + ".1." + m.group(5);
        }
        m = Pattern.compile("down_blocks\\.(\\d)\\.downsamplers\\.0\\.conv\\.(.*)").matcher(name);
        if (m.matches()) {
            return "input_blocks." + 3 * (Integer.parseInt(m.group(1)) + 1) + ".0.op." + m.group(2);
        }
        m = Pattern.compile("up_blocks\\.(\\d)\\.upsamplers\\.0\\.conv\\.(.*)").matcher(name);
        if (m.matches()) {
            int level = Integer.parseInt(m.group(1));
            return "output_blocks." + (3 * level + 2) + (level == 0 ? ".1" : ".2") + ".conv." + m.group(2);
        }
        m = Pattern.compile("mid_block\\.resnets\\.(\\d)\\.(.*)").matcher(name);
        if (m.matches()) {
            return "middle_block." + 2 * Integer.parseInt(m.group(1)) + "." + resnet(m.group(2));
        }
        return name.replace("mid_block.attentions.0", "middle_block.1").replace("time_embedding.linear_1", "time_embed.0").replace("time_embedding.linear_2", "time_embed.2")
                .replace("conv_norm_out", "out.0").replace("conv_out", "out.2").replace("conv_in", "input_blocks.0.0");
    }

    private static String resnet(String name) {
        return name.replace("norm1", "in_layers.0").replace("conv1", "in_layers.2").replace("norm2", "out_layers.0").replace("conv2", "out_layers.3")
                .replace("time_emb_proj", "emb_layers.1").replace("conv_shortcut", "skip_connection");
    }

    private static String vaeName(String name) {
        Matcher up = Pattern.compile("decoder\\.up_blocks\\.(\\d)\\.(.*)").matcher(name);
        String n = up.matches() ? "decoder.up." + (3 - Integer.parseInt(up.group(1))) + "." + up.group(2) : name.replace("down_blocks", "down");
        return n.replace("resnets", n.contains("mid_block") ? "mid.block" : "block").replace("mid_block.mid.block.0", "mid.block_1").replace("mid_block.mid.block.1", "mid.block_2")
                .replace("mid_block.attentions.0", "mid.attn_1").replace("group_norm", "norm").replace("to_q", "q").replace("to_k", "k").replace("to_v", "v").replace("to_out.0", "proj_out")
                .replace("conv_shortcut", "nin_shortcut").replace("downsamplers.0", "downsample").replace("upsamplers.0", "upsample").replace("conv_norm_out", "norm_out");
    }

    private void openClip(Map<String, Values> all) {
        String prefix = "cond_stage_model.model.";
        text.forEach((name, v) -> {
            String n = name.replace("text_model.embeddings.token_embedding", "token_embedding").replace("text_model.embeddings.position_embedding.weight", "positional_embedding")
                    .replace("text_model.final_layer_norm", "ln_final").replace("text_model.encoder.layers", "transformer.resblocks").replace("layer_norm", "ln_")
                    .replace("self_attn", "attn").replace("mlp.fc1", "mlp.c_fc").replace("mlp.fc2", "mlp.c_proj");
            if (n.contains("q_proj")) {
                String[] parts = {name, name.replace("q_proj", "k_proj"), name.replace("q_proj", "v_proj")};
                float[] joint = new float[3 * v.values().length];
                for (int i = 0; i < parts.length; i++) {
                    System.arraycopy(text.get(parts[i]).values(), 0, joint, i * v.values().length, v.values().length);
                }
                all.put(prefix + n.replace("q_proj.", "in_proj_"), new Values(v.shape().with(0, 3 * v.shape().dim(0)), joint));
            } else if (!n.contains("k_proj") && !n.contains("v_proj")) {
                all.put(prefix + n, v);
            }
        });
        // The last layer, which 2.x does not use, holds what would be noticed.
        new TreeMap<>(all).forEach((name, v) -> {
            if (name.startsWith(prefix + "transformer.resblocks.1.")) {
                float[] other = v.values().clone();
                Arrays.fill(other, 9);
                all.put(name.replace("resblocks.1.", "resblocks.2."), new Values(v.shape(), other));
            }
        });
        all.put(prefix + "text_projection", new Values(Shape.of(32, 32), new float[32 * 32]));
        all.put(prefix + "logit_scale", new Values(Shape.of(), 4.6f));
    }
}
