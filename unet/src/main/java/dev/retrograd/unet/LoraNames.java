package dev.retrograd.unet;

import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// How LoRA files name their tensors: from a tensor's name to the module that it updates and back.
///
/// | written by | names |
/// |---|---|
/// | diffusers with peft | `unet.<module>.lora_A.weight`, `unet.<module>.lora_B.weight` |
/// | TRL, AlignProp | `unet.<module>.lora.down.weight`, `unet.<module>.lora.up.weight` |
/// | diffusers before 0.17 | `<…>.processor.to_q_lora.down.weight`, `text_encoder.<…>.q_proj.lora_linear_layer.down.weight` |
/// | kohya's sd-scripts | `lora_unet_<module>.lora_down.weight`, `lora_te_<module>.lora_up.weight`, `….alpha`, the module's dots as underscores |
///
/// Modules of the text encoder are called `text_encoder.text_model.…`, those of the UNet as the UNet calls them.
final class LoraNames {
    private static final String KOHYA_UNET = "lora_unet_";
    private static final String KOHYA_TEXT = "lora_te_";
    private static final Pattern TENSOR = Pattern.compile("(.+?)\\.(lora_A|lora_B|lora\\.down|lora\\.up|lora_linear_layer\\.down|lora_linear_layer\\.up)(?:\\.default)?\\.weight");
    private static final Pattern PROCESSOR = Pattern.compile("(.+?)\\.processor\\.(to_q|to_k|to_v|to_out)_lora\\.(down|up)\\.weight");
    private static final Pattern ALPHA = Pattern.compile("(.+?)\\.alpha");
    private static final Pattern KOHYA = Pattern.compile("lora_(unet|te|te1)_([A-Za-z0-9_]+)\\.(lora_down\\.weight|lora_up\\.weight|alpha)");
    private static final Pattern OTHER_METHOD = Pattern.compile(".*\\.(hada_[a-z0-9_]+|lokr_[a-z0-9_]+|lora_mid\\.weight|dora_scale|lora_magnitude_vector.*|diff|diff_b|oft_.*|on_input)");
    /// Parts of module names that have an underscore of their own.
    private static final List<String> WORDS = List.of("down_blocks", "up_blocks", "mid_block", "transformer_blocks", "to_q", "to_k", "to_v", "to_out", "proj_in", "proj_out", "time_emb_proj",
            "time_embedding", "linear_1", "linear_2", "conv_shortcut", "conv_in", "conv_out", "text_model", "self_attn", "q_proj", "k_proj", "v_proj", "out_proj");

    private LoraNames() {
    }

    /// What a tensor is of its module's update.
    enum Role { DOWN, UP, ALPHA }

    record Part(String module, Role role) {
    }

    /// Which part of which update a tensor is; empty if it is none.
    static Optional<Part> parse(String name) {
        Matcher m = KOHYA.matcher(name);
        if (m.matches()) {
            Role role = m.group(3).equals("alpha") ? Role.ALPHA : m.group(3).startsWith("lora_down") ? Role.DOWN : Role.UP;
            return Optional.of(new Part((m.group(1).equals("unet") ? "" : LoraFile.TEXT_ENCODER) + dotted(m.group(2)), role));
        }
        m = PROCESSOR.matcher(name);
        if (m.matches()) {
            return Optional.of(new Part(module(m.group(1)) + "." + (m.group(2).equals("to_out") ? "to_out.0" : m.group(2)), m.group(3).equals("down") ? Role.DOWN : Role.UP));
        }
        m = TENSOR.matcher(name);
        if (m.matches()) {
            return Optional.of(new Part(module(m.group(1)), m.group(2).equals("lora_A") || m.group(2).endsWith("down") ? Role.DOWN : Role.UP));
        }
        m = ALPHA.matcher(name);
        return m.matches() ? Optional.of(new Part(module(m.group(1)), Role.ALPHA)) : Optional.empty();
    }

    /// What kind of file a tensor is from that is no LoRA of this program's models; empty if nothing gives it away.
    static Optional<String> otherMethod(String name) {
        if (name.startsWith("lora_te2_") || name.startsWith("text_encoder_2.")) {
            return Optional.of("is of a LoRA for Stable Diffusion XL");
        }
        Matcher m = OTHER_METHOD.matcher(name);
        return m.matches() ? Optional.of("is not LoRA but another method of adaptation (" + m.group(1) + ")") : Optional.empty();
    }

    private static String module(String path) {
        for (String prefix : List.of("unet.", "base_model.model.")) {
            if (path.startsWith(prefix)) {
                return path.substring(prefix.length());
            }
        }
        return path;
    }

    /// A module's name of which kohya made every dot an underscore.
    private static String dotted(String flat) {
        StringBuilder name = new StringBuilder();
        int at = 0;
        while (at < flat.length()) {
            int from = at;
            String rest = flat.substring(from);
            String part = WORDS.stream().filter(w -> rest.equals(w) || rest.startsWith(w + "_")).findFirst().orElseGet(() -> rest.substring(0, rest.contains("_") ? rest.indexOf('_') : rest.length()));
            name.append(name.isEmpty() ? "" : ".").append(part);
            at = from + part.length() + 1;
        }
        return name.toString();
    }

    /// The stem of a module's tensors, without a dot at the end.
    static String stem(String module, LoraFile.Naming naming) {
        boolean text = module.startsWith(LoraFile.TEXT_ENCODER);
        return switch (naming) {
            case KOHYA -> (text ? KOHYA_TEXT + module.substring(LoraFile.TEXT_ENCODER.length()) : KOHYA_UNET + module).replace('.', '_');
            case PEFT, DIFFUSERS -> text ? module : "unet." + module;
        };
    }

    /// What follows the stem of a matrix.
    static String suffix(String module, LoraFile.Naming naming, boolean down) {
        return switch (naming) {
            case KOHYA -> down ? ".lora_down.weight" : ".lora_up.weight";
            case PEFT -> down ? ".lora_A.weight" : ".lora_B.weight";
            case DIFFUSERS -> (module.startsWith(LoraFile.TEXT_ENCODER) ? ".lora_linear_layer" : ".lora") + (down ? ".down.weight" : ".up.weight");
        };
    }
}
