package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.rewards.BlackBoxReward;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.trainer.SettingException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// Whether a picture shows what its caption names first, says the {@link Judge}: 1 where shape and colour are both right, or the shape where no colour is named, else 0.
/// Its mean is the accuracy that `pretrain` ends with.
///
/// It is only ever measured, so that it can tell when a model that was trained on a reward stops showing its captions.
public final class PictureJudge implements BlackBoxReward {
    /// As `--track` and metrics call it.
    public static final String NAME = "judge";

    private final Backend backend;
    private final ModelFolder.Frozen<Judge> judge;

    private PictureJudge(Backend backend, ModelFolder.Frozen<Judge> judge) {
        this.backend = backend;
        this.judge = judge;
    }

    /// @throws IOException if the judge's file is missing or damaged
    public static PictureJudge load(Backend backend, ModelFolder files) throws IOException {
        return new PictureJudge(backend, ModelFolder.read(backend, files.judgeWeights(), Judge::new));
    }

    @Override public String name() {
        return NAME;
    }

    /// @throws SettingException if pictures are not 64×64, or a prompt names no shape of the miniature world
    @Override public float[] score(PixelBatch images, List<String> prompts) {
        SettingException.require(images.height() == World.SIZE && images.width() == World.SIZE, "--track judge", "left out unless pictures are " + World.SIZE + "x" + World.SIZE, images.width() + "x" + images.height());
        List<NamedObject> named = named(prompts);
        Verdicts verdicts = verdicts(images);
        float[] right = new float[named.size()];
        for (int i = 0; i < right.length; i++) {
            right[i] = verdicts.shows(i, named.get(i)) ? 1 : 0;
        }
        return right;
    }

    /// What prompts name first.
    ///
    /// @throws SettingException if one names no shape of the miniature world
    public static List<NamedObject> named(List<String> prompts) {
        List<NamedObject> named = new ArrayList<>();
        for (String prompt : prompts) {
            named.add(NamedObject.in(prompt).orElseThrow(() -> new SettingException("--track judge: every prompt must name a shape of the miniature world, such as a circle, got " + prompt)));
        }
        return named;
    }

    private Verdicts verdicts(PixelBatch images) {
        float[] signed = new float[images.pixels().length];
        for (int i = 0; i < signed.length; i++) {
            signed[i] = 2 * images.pixels()[i] - 1;
        }
        try (Scope _ = backend.memory().open("pictures")) {
            return Verdicts.of(backend, judge.model(), backend.floats("pictures", Shape.of(images.batch(), World.SIZE, World.SIZE, 3), signed));
        }
    }

    @Override public void close() {
        judge.close();
    }
}
