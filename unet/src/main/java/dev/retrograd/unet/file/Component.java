package dev.retrograd.unet.file;

/// A part of a Stable Diffusion model that files describe on its own.
public enum Component {
    TEXT_ENCODER("text_encoder", "config.json"),
    UNET("unet", "config.json"),
    VAE("vae", "config.json"),
    SCHEDULER("scheduler", "scheduler_config.json");

    private final String folder;
    private final String configFile;

    Component(String folder, String configFile) {
        this.folder = folder;
        this.configFile = configFile;
    }

    /// What diffusers calls its folder.
    public String folder() {
        return folder;
    }

    /// The configuration's place in a diffusers folder.
    public String configPath() {
        return folder + "/" + configFile;
    }
}
