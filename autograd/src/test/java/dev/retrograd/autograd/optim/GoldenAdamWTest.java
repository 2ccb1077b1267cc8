package dev.retrograd.autograd.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Golden;
import dev.retrograd.core.Scope;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.testing.Close;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// torch.optim.AdamW and clip_grad_norm_ over twelve steps, as `golden/optim` has them.
class GoldenAdamWTest {

    static Stream<JsonNode> checks() throws IOException {
        JsonNode file = new ObjectMapper().readTree(Golden.path("optim/checks.json").toFile());
        assertEquals(1, file.get("format").asInt());
        List<JsonNode> checks = StreamSupport.stream(file.get("checks").spliterator(), false).toList();
        assertEquals(6, checks.size(), "checks");
        return checks.stream();
    }

    @ParameterizedTest
    @MethodSource("checks")
    void followsTorchOverTwelveSteps(JsonNode check) throws IOException {
        assertEquals("adamw", check.get("kind").asText());
        try (SafeTensors reference = SafeTensors.open(Golden.path("optim/reference.safetensors"));
                CpuBackend b = new CpuBackend(CpuBackend.Options.defaults().withPoison())) {
            Map<String, float[]> got = train(b, check, reference);
            assertEquals(0, b.memory().liveBytes(), "live bytes when all is closed");
            for (var e : check.get("expect").properties()) {
                float[] expected = reference.floats(e.getValue().get("tensor").asText());
                Close.relativeL2(e.getKey(), expected, got.get(e.getKey()), e.getValue().get("max_rel_l2").asDouble());
            }
        }
    }

    /// Every parameter after each step, one after the other; final moments; norms before clipping.
    private static Map<String, float[]> train(Backend b, JsonNode check, SafeTensors reference) throws IOException {
        List<String> names = new TreeSet<>(StreamSupport.stream(check.get("inputs").properties().spliterator(), false)
                .map(e -> e.getKey().substring(0, e.getKey().indexOf('.'))).toList()).stream().toList();
        assertEquals(List.of("p0", "p1", "p2"), names);
        AdamW.Hyperparameters how = new AdamW.Hyperparameters(check.get("betas").get(0).asDouble(), check.get("betas").get(1).asDouble(),
                check.get("eps").asDouble(), check.get("weight_decay").asDouble());
        GradientClip clip = check.get("max_grad_norm").isNull() ? GradientClip.NONE : new GradientClip(check.get("max_grad_norm").asDouble());
        List<Parameter> parameters = new ArrayList<>();
        for (String name : names) {
            parameters.add(Weights.trainable(b, name, reference.spec(name + ".init").shape(), reference.floats(name + ".init")));
        }
        Map<String, float[]> out = new LinkedHashMap<>();
        try (AdamW adamw = new AdamW(b, parameters, how); Gradients gradients = new Gradients(b)) {
            int steps = reference.spec("p0.grads").shape().dim(0);
            for (int step = 0; step < steps; step++) {
                gradients.clear();
                for (Parameter p : parameters) {
                    int n = Math.toIntExact(p.value().elements());
                    Weights.differentiate(b, p, gradients, Arrays.copyOfRange(reference.floats(p.name() + ".grads"), step * n, (step + 1) * n));
                }
                try (Scope _ = b.memory().open("update")) {
                    GradientClip.Clipped clipped = clip.apply(b, gradients, parameters);
                    adamw.step(gradients, check.get("lr").asDouble(), clipped.factor(), AdamW.Missing.REFUSE);
                    append(out, "norms", (float) clipped.norm(b));
                    append(out, "factors", b.toFloats(clipped.factor()));
                }
                parameters.forEach(p -> append(out, p.name(), Weights.values(b, p)));
            }
            try (Scope _ = b.memory().open("read")) {
                adamw.state().forEach((name, t) -> out.put(name, b.toFloats(t)));
            }
        }
        parameters.forEach(Parameter::close);
        float least = least(out.get("factors"));
        assertTrue(clip.equals(GradientClip.NONE) ? least == 1 : least < 0.5, "clipping is " + clip + ", least factor " + least);
        return out;
    }

    private static float least(float[] values) {
        float least = Float.POSITIVE_INFINITY;
        for (float v : values) {
            least = Math.min(least, v);
        }
        return least;
    }

    private static void append(Map<String, float[]> out, String name, float... values) {
        float[] before = out.getOrDefault(name, new float[0]);
        float[] all = Arrays.copyOf(before, before.length + values.length);
        System.arraycopy(values, 0, all, before.length, values.length);
        out.put(name, all);
    }
}
