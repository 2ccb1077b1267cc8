package dev.retrograd.trainer.verify;

import java.util.Map;
import java.util.TreeMap;

/// Every kind that `verify` knows, by its name in `checks.json`: a new one is added here.
final class Kinds {
    static final Map<String, Kind> BY_NAME = new TreeMap<>(Map.ofEntries(
            Map.entry("tokenize", TextKinds::tokenize),
            Map.entry("text-encode", TextKinds::textEncode),
            Map.entry("unet", UNetKind::unet),
            Map.entry("vae-decode", VaeKinds::decode),
            Map.entry("vae-encode", VaeKinds::encode),
            Map.entry("ddim-schedule", ScheduleKinds::schedule),
            Map.entry("ddim-step", ScheduleKinds::step),
            Map.entry("log-prob", ScheduleKinds::logProbability),
            Map.entry("sample", SampleKind::sample),
            Map.entry("alignprop", AlignPropKinds::differentiate),
            Map.entry("alignprop-train", AlignPropKinds::train),
            Map.entry("aesthetic", RewardKinds::aesthetic),
            Map.entry("hps", RewardKinds::hps),
            Map.entry("owlvit", RewardKinds::owlvit),
            Map.entry("resize", ArithmeticKinds::resize),
            Map.entry("ppo", DdpoKinds::ppo),
            Map.entry("per-prompt-advantages", DdpoKinds::advantages),
            Map.entry("adamw", ArithmeticKinds::adamw),
            Map.entry("torch-random", ArithmeticKinds::torchRandom)));

    private Kinds() {
    }
}
