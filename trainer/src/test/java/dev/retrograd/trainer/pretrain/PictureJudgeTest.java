package dev.retrograd.trainer.pretrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.SettingException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PictureJudgeTest {
    private static final Recipe RECIPE = Recipe.rehearsal(1, 2);

    @Test void paintedPicturesShowTheirCaptionsAndNotThoseOfOthers() throws IOException {
        try (CpuBackend b = new CpuBackend(); EmbeddedModel miniature = EmbeddedModel.unpack(); PictureJudge judge = PictureJudge.load(b, miniature.files())) {
            for (World.Part part : World.Part.values()) {
                // Captions of every form.
                Examples examples = Examples.draw(RECIPE, StageKey.SAMPLES, 3, 96, part);
                PixelBatch pictures = AestheticStage.pixels(examples.pictures());
                List<String> others = new ArrayList<>(examples.captions());
                Collections.rotate(others, 1);
                assertTrue(mean(judge.score(pictures, examples.captions())) >= 0.97, part + " " + mean(judge.score(pictures, examples.captions())));
                assertTrue(mean(judge.score(pictures, others)) <= 0.2, part + " " + mean(judge.score(pictures, others)));
            }
        }
    }

    private static double mean(float... scores) {
        double sum = 0;
        for (float s : scores) {
            assertTrue(s == 0 || s == 1, "right or wrong, got " + s);
            sum += s;
        }
        return sum / scores.length;
    }

    @Test void everyCaptionIsReadAsItsScene() {
        for (int step = 0; step < 8; step++) {
            Examples examples = Examples.draw(RECIPE, StageKey.SAMPLES, step, 32);
            for (int i = 0; i < 32; i++) {
                SceneObject first = examples.scenes().get(i).first();
                boolean second = examples.scenes().get(i).inReadingOrder().getFirst() != first;
                assertEquals(Optional.of(new NamedObject(first.figure(), Optional.of(first.paint()), second)), NamedObject.in(examples.captions().get(i)), examples.captions().get(i));
            }
        }
    }

    @ParameterizedTest @CsvSource(delimiter = '|', value = {"A Red CIRCLE.|CIRCLE|RED|false", "ring on blue|RING||false", "green, blue star left of a cross|STAR|BLUE|false", "a heart, pink, below a red square|HEART||true",
        "a red circle at the right, white background|CIRCLE|RED|false"})
    void wordsOfAPersonsOwnAreRead(String prompt, Figure figure, Paint paint, boolean second) {
        assertEquals(Optional.of(new NamedObject(figure, Optional.ofNullable(paint), second)), NamedObject.in(prompt));
    }

    @Test void refusesWhatItCannotJudge() throws IOException {
        try (CpuBackend b = new CpuBackend(); EmbeddedModel miniature = EmbeddedModel.unpack(); PictureJudge judge = PictureJudge.load(b, miniature.files())) {
            PixelBatch usual = new PixelBatch(new float[64 * 64 * 3], 1, 64, 64);
            assertEquals("--track judge: every prompt must name a shape of the miniature world, such as a circle, got a red fox", assertThrows(SettingException.class, () -> judge.score(usual, List.of("a red fox"))).getMessage());
            PixelBatch wide = new PixelBatch(new float[64 * 72 * 3], 1, 64, 72);
            assertEquals("--track judge: must be left out unless pictures are 64x64, got 72x64", assertThrows(SettingException.class, () -> judge.score(wide, List.of("a red circle"))).getMessage());
        }
    }
}
