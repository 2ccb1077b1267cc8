package dev.retrograd.trainer.experiment;

import java.io.IOException;
import java.util.List;

/// The runs that several experiments share: one of each method, each with its own settings.
final class Rivals {
    static final String BASE = "base";
    static final String ALIGNPROP = "AlignProp";
    static final String DDPO = "DDPO";
    static final String RWR = "RWR";
    static final String REFL = "ReFL";
    /// The miniature's unused judge, among the measures.
    static final String JUDGE = "judge";

    private Rivals() {
    }

    /// The paper's method as it is: a random number of the last steps differentiated.
    static Trained alignprop(Lab lab) throws IOException {
        return lab.trained(ALIGNPROP, List.of("method=alignprop"));
    }

    static Trained ddpo(Lab lab) throws IOException {
        return lab.trained(DDPO, List.of("method=ddpo"));
    }

    static Trained rwr(Lab lab) throws IOException {
        return lab.trained(RWR, List.of("method=rwr"));
    }

    static Trained refl(Lab lab) throws IOException {
        return lab.trained(REFL, List.of("method=refl"));
    }

    /// How the images that DDPO trains on differ from those that are measured.
    static String howSampled(Trained ddpo) {
        return "All models are measured on the same DDIM chain and noise. DDPO trains on images of random chains (eta " + ddpo.settings().get("eta").asText() + "), whose rewards, and those of the other runs' training images, are under Runs.";
    }

    /// What is watched beside the reward: on the miniature, whether pictures still show what captions say.
    static List<String> watched(Lab lab) {
        return lab.embedded() ? List.of(JUDGE) : List.of();
    }
}
