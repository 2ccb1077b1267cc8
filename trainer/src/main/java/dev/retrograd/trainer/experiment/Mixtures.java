package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.evaluate.Comparison;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraMix;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalDouble;
import java.util.SequencedMap;

/// Two LoRAs, each trained on a reward of its own, and their exact weighted averages.
///
/// @param coefficients of the second one by the names of the models
record Mixtures(Trained first, Trained second, SequencedMap<String, Double> coefficients, Comparison comparison) {
    private static final List<Double> COEFFICIENTS = List.of(0.0, 0.25, 0.5, 0.75, 1.0);

    static Mixtures measure(Lab lab, Lab.Extent extent) throws IOException {
        SettingException.require(!lab.secondReward().equals(lab.reward()), "--second-reward", "another one than --reward", lab.secondReward());
        Trained first = Rivals.alignprop(lab);
        Trained second = lab.trained("AlignProp, " + lab.secondReward(), List.of("method=alignprop", "reward=" + lab.secondReward()));
        SequencedMap<String, LoraFile.Update> a = LoraFile.read(first.lora(), OptionalDouble.empty());
        SequencedMap<String, LoraFile.Update> b = LoraFile.read(second.lora(), OptionalDouble.empty());
        SequencedMap<String, Dress> models = new LinkedHashMap<>();
        SequencedMap<String, Double> coefficients = new LinkedHashMap<>();
        models.put(Rivals.BASE, new Dress.Base());
        for (double c : COEFFICIENTS) {
            String name = "mix " + c;
            models.put(name, new Dress.Mix(List.of(new LoraMix.Part(lab.reward(), a, 1 - c), new LoraMix.Part(lab.secondReward(), b, c))));
            coefficients.put(name, c);
        }
        return new Mixtures(first, second, coefficients, lab.measure(models, extent));
    }

    /// The name of the mix that is nearest to half of both.
    String half() {
        return "mix 0.5";
    }

    String ofFirst() {
        return coefficients.firstEntry().getKey();
    }

    String ofSecond() {
        return coefficients.lastEntry().getKey();
    }
}
