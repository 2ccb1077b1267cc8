package dev.retrograd.unet.file;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.Shape;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.text.ClipTokenizer;
import dev.retrograd.unet.text.TokenizerFolder;
import dev.retrograd.unet.text.TokenizerOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/// A single-file checkpoint of Stable Diffusion 1.x or 2.x as CompVis, Stability AI, A1111 and trainers save it.
///
/// The UNet's moving average is taken where the whole of it is there. Of 2.x the file does not say what the UNet predicts: noise where its
/// training stopped at step 875000 (2-base), else velocity, unless {@link ModelFiles.Options#prediction} says otherwise. Parity: diffusers `from_single_file`.
final class LdmCheckpoint implements ModelFiles {
    static final String UNET = "model.diffusion_model.";
    /// The average of `model.diffusion_model.a.b` is called `model_ema.diffusion_modelab`.
    private static final String EMA = "model_ema.";
    private static final String EMA_UNET = "model_ema.diffusion_model";
    static final String VAE = "first_stage_model.";
    static final String CLIP = "cond_stage_model.transformer.";
    static final String OPEN_CLIP = "cond_stage_model.model.";
    private static final String LAST_STEP = "global_step";
    private static final String STEPS_OF_2_BASE = "875000";
    private static final String EPSILON = "epsilon";
    private static final String VELOCITY = "v_prediction";
    private static final List<String> OPEN_CLIP_UNUSED = List.of("text_projection", "logit_scale", "attn_mask");
    /// What the original files hold beside the three networks, and no computation reads.
    private static final List<String> BOOKKEEPING = List.of("betas", "alphas_cumprod", "sqrt_", "log_one_minus_", "posterior_", "logvar", "lvlb_weights", "model_ema.decay",
            "model_ema.num_updates", VAE + "loss.", "scale_factor", "cond_stage_model.logit_scale", "cond_stage_model.text_projection", "embedding_manager.", "state_dict",
            CLIP + "text_projection", CLIP + "vision_model.");
    private static final List<String> HEADS_OF_TEXT = List.of("embeddings.", "encoder.", "final_layer_norm.");

    private final TensorFile file;
    private final Options options;
    private final Map<Component, ObjectNode> configs = new EnumMap<>(Component.class);
    private final Map<Component, TensorView> views = new EnumMap<>(Component.class);
    private final List<String> notes = new ArrayList<>();
    private final boolean openClip;

    private LdmCheckpoint(TensorFile file, Options options) throws IOException {
        this.file = file;
        this.options = options;
        SortedMap<String, Shape> unet = below(UNET);
        Optional<String> other = OtherModels.named(file.names(), unet);
        if (other.isPresent()) {
            throw refuse(other.get() + "; only text-to-image models of Stable Diffusion 1.x and 2.x are supported");
        }
        SortedMap<String, Shape> vae = below(VAE);
        openClip = file.names().contains(OPEN_CLIP + "token_embedding.weight");
        requirePart(!unet.isEmpty(), "UNet (" + UNET + "…)");
        requirePart(!vae.isEmpty(), "VAE (" + VAE + "…)");
        requirePart(openClip || file.names().stream().anyMatch(n -> n.startsWith(CLIP)), "text encoder (" + CLIP + "… or " + OPEN_CLIP + "…)");
        String prediction = prediction();
        int size = openClip && prediction.equals(VELOCITY) ? 96 : 64;
        configs.put(Component.SCHEDULER, DiffusersConfigs.schedule(prediction));
        unet(unet, size);
        LdmLayout.Network decoder = new LdmLayout(file.source(), vae).vae(size * 8);
        add(Component.VAE, decoder, VAE, vae, Map.of());
        if (openClip) {
            openClip();
        } else {
            clip();
        }
        sayWhatIsLeft();
    }

    /// @throws ModelFormatException if the file is damaged or another kind of model
    static LdmCheckpoint open(Path path, Options options) throws IOException {
        TensorFile file = TensorFile.open(path);
        boolean done = false;
        try {
            LdmCheckpoint checkpoint = new LdmCheckpoint(file, options);
            done = true;
            return checkpoint;
        } finally {
            if (!done) {
                file.close();
            }
        }
    }

    private ModelFormatException refuse(String reason) {
        return new ModelFormatException(file.source() + ": " + reason);
    }

    private void requirePart(boolean there, String part) throws ModelFormatException {
        if (!there) {
            throw refuse("a checkpoint of Stable Diffusion 1.x or 2.x has a " + part + ", this file has none among its " + file.names().size() + " tensors");
        }
    }

    private SortedMap<String, Shape> below(String prefix) throws ModelFormatException {
        SortedMap<String, Shape> shapes = new TreeMap<>();
        for (String name : file.names()) {
            if (name.startsWith(prefix)) {
                shapes.put(name.substring(prefix.length()), file.shape(name));
            }
        }
        return shapes;
    }

    private String prediction() {
        if (options.prediction().isPresent()) {
            return options.prediction().get();
        }
        if (!openClip) {
            return EPSILON;
        }
        String step = file.metadata().getOrDefault(LAST_STEP, "");
        if (step.equals(STEPS_OF_2_BASE)) {
            return EPSILON;
        }
        notes.add("taken to predict the velocity at 768 pixels, as most of SD 2.x does; for a model made from 2-base or 2-1-base give --prediction-type epsilon");
        return VELOCITY;
    }

    private void unet(SortedMap<String, Shape> shapes, int size) throws ModelFormatException {
        LdmLayout.Network network = new LdmLayout(file.source(), shapes).unet(size);
        Map<String, String> averages = new LinkedHashMap<>();
        for (String name : shapes.keySet()) {
            String average = EMA_UNET + name.replace(".", "");
            if (file.names().contains(average)) {
                averages.put(name, average);
            }
        }
        if (averages.size() == shapes.size()) {
            notes.add("the UNet's moving average (" + EMA + "…) is used, not its last weights");
        } else if (!averages.isEmpty()) {
            notes.add("the UNet's moving average (" + EMA + "…) is there for " + averages.size() + " of " + shapes.size() + " tensors only, so the last weights are used");
            averages.clear();
        }
        add(Component.UNET, network, UNET, shapes, averages);
    }

    /// @param elsewhere tensors of the file that stand for those of the component
    private void add(Component component, LdmLayout.Network network, String prefix, SortedMap<String, Shape> shapes, Map<String, String> elsewhere) {
        SequencedMap<String, TensorView.Place> places = new LinkedHashMap<>();
        for (String name : shapes.keySet()) {
            if (!(component == Component.VAE && name.startsWith("loss."))) {
                // What has no name in diffusers keeps its own, so that the model refuses it.
                places.put(network.names().inDiffusers(name).orElse(prefix + name), TensorView.Place.whole(elsewhere.getOrDefault(name, prefix + name)));
            }
        }
        configs.put(component, network.config());
        views.put(component, new TensorView(file, places));
    }

    private void clip() throws ModelFormatException {
        Map<String, TensorView.Place> places = new LinkedHashMap<>();
        SortedMap<String, Shape> shapes = new TreeMap<>();
        for (Map.Entry<String, Shape> e : below(CLIP).entrySet()) {
            String name = HEADS_OF_TEXT.stream().anyMatch(e.getKey()::startsWith) ? "text_model." + e.getKey() : e.getKey();
            if (name.startsWith("text_model.")) {
                places.put(name, TensorView.Place.whole(CLIP + e.getKey()));
                shapes.put(name, e.getValue());
            }
        }
        configs.put(Component.TEXT_ENCODER, new LdmLayout(file.source(), shapes).clipText());
        views.put(Component.TEXT_ENCODER, new TensorView(file, places));
    }

    private void openClip() throws ModelFormatException {
        SortedMap<String, Shape> shapes = below(OPEN_CLIP);
        LdmLayout.Network network = new LdmLayout(file.source(), shapes).openClipText();
        int layers = network.config().path("num_hidden_layers").intValue();
        Map<String, TensorView.Place> places = new LinkedHashMap<>();
        for (String name : shapes.keySet()) {
            String inFile = OPEN_CLIP + name;
            if (name.equals("positional_embedding")) {
                places.put("text_model.embeddings.position_embedding.weight", TensorView.Place.whole(inFile));
            } else if (!OPEN_CLIP_UNUSED.contains(name) && !name.startsWith("transformer.resblocks." + layers + ".")) {
                String suffix = name.endsWith("attn.in_proj_weight") ? "weight" : name.endsWith("attn.in_proj_bias") ? "bias" : "";
                if (suffix.isEmpty()) {
                    places.put(network.names().inDiffusers(name).orElse(inFile), TensorView.Place.whole(inFile));
                } else {
                    String attention = "text_model.encoder.layers." + name.substring("transformer.resblocks.".length(), name.indexOf(".attn.")) + ".self_attn.";
                    List<String> parts = List.of("q_proj.", "k_proj.", "v_proj.");
                    for (int i = 0; i < parts.size(); i++) {
                        places.put(attention + parts.get(i) + suffix, new TensorView.Place(inFile, i, parts.size()));
                    }
                }
            }
        }
        configs.put(Component.TEXT_ENCODER, network.config());
        views.put(Component.TEXT_ENCODER, new TensorView(file, places));
    }

    private void sayWhatIsLeft() {
        TreeSet<String> left = new TreeSet<>(file.names());
        left.removeIf(n -> n.startsWith(UNET) || n.startsWith(EMA) || n.startsWith(VAE) || n.startsWith(CLIP) || n.startsWith(OPEN_CLIP) || BOOKKEEPING.stream().anyMatch(n::startsWith));
        if (!left.isEmpty()) {
            notes.add(left.size() + " tensors are not part of the model and are not read: " + String.join(", ", left.stream().limit(3).toList()) + (left.size() > 3 ? ", …" : ""));
        }
    }

    @Override public String source() {
        return file.source();
    }

    @Override public ModelConfig config(Component component) throws IOException {
        return ModelConfig.of(file.source() + " (" + component.folder() + ")", configs.get(component).deepCopy());
    }

    @Override public TensorFile weights(Component component) {
        return views.get(component);
    }

    /// CLIP's; 2.x fills up with the id of "!", 0.
    @Override public ClipTokenizer tokenizer() throws IOException {
        if (options.tokenizer().isPresent()) {
            return ClipTokenizer.load(options.tokenizer().get());
        }
        ClipTokenizer clip = ClipTokenizer.standard();
        return openClip ? clip.with(new TokenizerOptions(clip.options().cleaning(), 0, clip.options().maxLength())) : clip;
    }

    @Override public void writeTokenizer(Path folder) throws IOException {
        if (options.tokenizer().isPresent()) {
            TokenizerFolder.copy(options.tokenizer().get(), folder);
        } else {
            TokenizerFolder.writeStandard(folder, openClip);
        }
    }

    @Override public List<String> notes() {
        return List.copyOf(notes);
    }

    @Override public void close() {
        file.close();
    }
}
