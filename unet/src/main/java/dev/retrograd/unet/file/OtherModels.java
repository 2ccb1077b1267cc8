package dev.retrograd.unet.file;

import dev.retrograd.core.Shape;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Tells what a checkpoint is that is no text-to-image model of Stable Diffusion 1.x or 2.x, by the tensors that give it away.
final class OtherModels {
    private static final String UNET = "model.diffusion_model.";

    private OtherModels() {
    }

    /// @return what to call it; empty if nothing gives it away
    static Optional<String> named(Set<String> names, Map<String, Shape> unetShapes) {
        if (any(names, "conditioner.embedders.") || names.contains(UNET + "label_emb.0.0.weight")) {
            return Optional.of("is Stable Diffusion XL (or a model of its kind)");
        }
        if (any(names, UNET + "joint_blocks.") || any(names, "joint_blocks.")) {
            return Optional.of("is Stable Diffusion 3");
        }
        if (any(names, UNET + "double_blocks.") || any(names, "double_blocks.")) {
            return Optional.of("is Flux");
        }
        if (any(names, "control_model.") || any(names, "controlnet_cond_embedding.")) {
            return Optional.of("is a ControlNet");
        }
        if (names.stream().anyMatch(n -> n.contains("lora_down") || n.contains("lora_A") || n.contains(".lora.down") || n.contains("_lora.down"))) {
            return Optional.of("is a LoRA, which goes to --lora");
        }
        if (names.contains("emb_params") || names.contains("string_to_param")) {
            return Optional.of("is a textual inversion embedding");
        }
        Shape first = unetShapes.get("input_blocks.0.0.weight");
        if (first != null && first.rank() == 4) {
            return switch (first.dim(1)) {
                case 9 -> Optional.of("is an inpainting model (its UNet takes 9 channels)");
                case 8 -> Optional.of("is InstructPix2Pix (its UNet takes 8 channels)");
                case 7 -> Optional.of("is an upscaler (its UNet takes 7 channels)");
                case 5 -> Optional.of("is a depth-to-image model (its UNet takes 5 channels)");
                default -> Optional.empty();
            };
        }
        if (names.contains("conv_in.weight") && any(names, "down_blocks.")) {
            return Optional.of("is a UNet of a diffusers folder; give the folder");
        }
        return Optional.empty();
    }

    private static boolean any(Set<String> names, String prefix) {
        return names.stream().anyMatch(n -> n.startsWith(prefix));
    }
}
