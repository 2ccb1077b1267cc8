package dev.retrograd.trainer;

import dev.retrograd.unet.ParameterFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Writes a model whose UNet was trained as a whole.
@FunctionalInterface
public interface ModelWriter {
    /// The UNet's weights alone, where diffusers has them.
    ModelWriter UNET_ALONE = (folder, unet) -> unet.write(Files.createDirectories(folder.resolve("unet")).resolve("diffusion_pytorch_model.safetensors"));

    /// @param folder empty; filled as diffusers lays a model out
    /// @param unet weights by diffusers' names
    /// @throws IOException if it cannot be written
    void write(Path folder, ParameterFile unet) throws IOException;
}
