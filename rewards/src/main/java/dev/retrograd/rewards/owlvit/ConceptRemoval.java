package dev.retrograd.rewards.owlvit;

import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// How surely a concept is absent from an image, 0..1: `1 − max over patches of sigmoid(logit of the query)` by OWL-ViT.
///
/// The AlignProp paper (arXiv 2310.03739, §5) removes "books" by "one minus the confidence" of OWL-ViT and says no more; the maximum over patches is
/// the confidence that the detector's strongest box has. It holds the model in backend memory; {@link #close()} frees it.
public final class ConceptRemoval implements DifferentiableReward {
    /// The paper's concept.
    public static final String DEFAULT_QUERY = "books";

    private final Query query;

    private ConceptRemoval(Query query) {
        this.query = query;
    }

    /// @param folder OWL-ViT as transformers has it
    /// @param tokenizer with CLIP's vocabulary
    /// @param concept what should not be seen
    /// @throws dev.retrograd.core.io.ModelFormatException as {@link OwlVit#load}
    public static ConceptRemoval load(Backend backend, Path folder, ClipTokenizer tokenizer, String concept) throws IOException {
        return new ConceptRemoval(Query.load(backend, folder, tokenizer, concept));
    }

    @Override public String name() {
        return "concept-removal";
    }

    /// @param pixels `[B,H,W,3]` RGB in [0,1]
    /// @param prompts not read
    @Override public Var score(Var pixels, List<String> prompts) {
        return absence(query.confidences(query.patches(pixels)));
    }

    /// The score of confidences.
    ///
    /// @param confidences of the patches, `[B,P]`
    /// @return `[B]`
    public static Var absence(Var confidences) {
        return Largest.of(confidences).affine(-1, 1);
    }

    @Override public void close() {
        query.close();
    }
}
