package dev.retrograd.unet.diffusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.Golden;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.unet.ModelConfig;
import java.io.IOException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NoiseScheduleTest {

    private static NoiseSchedule golden() throws IOException {
        return NoiseSchedule.of(ModelConfig.read(Golden.path("ci-sd/model/scheduler/scheduler_config.json")));
    }

    private static NoiseSchedule of(String json) throws IOException {
        return NoiseSchedule.of(ModelConfig.of("scheduler", new ObjectMapper().readTree(json)));
    }

    @Test void equalsUpstreamBitForBit() throws IOException {
        NoiseSchedule schedule = golden();
        try (SafeTensors reference = SafeTensors.open(Golden.path("ci-sd/reference.safetensors"))) {
            assertArrayEquals(reference.floats("ddim.betas"), schedule.betas());
            assertArrayEquals(reference.floats("ddim.alphas_cumprod"), schedule.alphasCumprod());
            assertEquals(reference.floats("ddim.final_alpha_cumprod")[0], schedule.finalAlphaCumprod());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {5, 10, 50})
    void stepsEqualUpstreams(int steps) throws IOException {
        DdimSchedule ddim = golden().ddim(steps);
        try (SafeTensors reference = SafeTensors.open(Golden.path("ci-sd/reference.safetensors"))) {
            assertArrayEquals(reference.longs("ddim." + steps + ".timesteps"), IntStream.of(ddim.timesteps()).asLongStream().toArray());
            assertArrayEquals(reference.longs("ddim." + steps + ".prev_timesteps"), IntStream.range(0, steps).mapToLong(ddim::previousTimestep).toArray());
            float[] variance = reference.floats("ddim." + steps + ".variance");
            for (int i = 0; i < steps; i++) {
                assertEquals(variance[i], ddim.variance(i), 1e-6f * variance[i], "step " + i);
            }
        }
    }

    @Test void spacingsPlaceTheSteps() throws IOException {
        assertArrayEquals(new int[] {900, 600, 300, 0}, of("{\"num_train_timesteps\": 1200}").ddim(4).timesteps());
        assertArrayEquals(new int[] {999, 749, 499, 249}, of("{\"timestep_spacing\": \"trailing\"}").ddim(4).timesteps());
        assertArrayEquals(new int[] {999, 666, 333, 0}, of("{\"timestep_spacing\": \"linspace\"}").ddim(4).timesteps());
        assertArrayEquals(new int[] {0}, of("{\"timestep_spacing\": \"linspace\"}").ddim(1).timesteps());
    }

    @Test void theCleanImageHasAlphaOneWhereTheFileSaysSo() throws IOException {
        assertEquals(1, of("{\"set_alpha_to_one\": true}").finalAlphaCumprod());
        NoiseSchedule linear = of("{\"set_alpha_to_one\": false, \"beta_schedule\": \"linear\", \"beta_start\": 0.25, \"beta_end\": 0.5, \"num_train_timesteps\": 2}");
        assertArrayEquals(new float[] {0.25f, 0.5f}, linear.betas());
        assertArrayEquals(new float[] {0.75f, 0.375f}, linear.alphasCumprod());
        assertEquals(0.75f, linear.finalAlphaCumprod());
        assertEquals(0.75f, linear.alphaCumprod(-1));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "{'beta_schedule': 'squaredcos_cap_v2'}|scheduler: 'beta_schedule' must be linear or scaled_linear, got squaredcos_cap_v2",
        "{'prediction_type': 'sample'}|scheduler: 'prediction_type' must be epsilon or v_prediction, got sample",
        "{'clip_sample': true}|scheduler: 'clip_sample' true is not supported, only false is",
        "{'timestep_spacing': 'other'}|scheduler: 'timestep_spacing' must be leading, trailing or linspace, got other",
        "{'steps_offset': 1000}|scheduler: 'steps_offset' must be 0..999, got 1000",
        "{'beta_start': 0.5, 'beta_end': 0.1}|scheduler: needs 1..100000 timesteps and 0 < beta_start <= beta_end < 1, got 1000, 0.5 and 0.1",
        "{'some_new_key': 3}|scheduler: not supported: 'some_new_key' 3"})
    void refusesByName(String json, String message) {
        assertEquals(message, assertThrows(ModelFormatException.class, () -> of(json.replace('\'', '"'))).getMessage());
    }

    /// The same step, told what the velocity is that a noise implies, arrives at the same latent, first step and last included.
    @ParameterizedTest
    @CsvSource({"0, 0", "0, 1", "2, 0.5", "4, 0", "4, 1"})
    void velocityAndNoiseAreOneUpdate(int step, double eta) throws IOException {
        String json = "{\"beta_schedule\": \"scaled_linear\", \"beta_start\": 0.00085, \"beta_end\": 0.012, \"set_alpha_to_one\": false, \"steps_offset\": 1, \"prediction_type\": \"%s\"}";
        NoiseSchedule schedule = of(json.formatted("epsilon"));
        DdimSchedule.Coefficients noise = schedule.ddim(5).coefficients(step, eta);
        NoiseSchedule velocities = of(json.formatted("v_prediction"));
        assertEquals(NoiseSchedule.Prediction.V, velocities.prediction());
        DdimSchedule.Coefficients velocity = velocities.ddim(5).coefficients(step, eta);
        double x0 = -0.7;
        double eps = 1.3;
        double alpha = schedule.alphaCumprod(schedule.ddim(5).timestep(step));
        double x = Math.sqrt(alpha) * x0 + Math.sqrt(1 - alpha) * eps;
        double v = Math.sqrt(alpha) * eps - Math.sqrt(1 - alpha) * x0;
        assertEquals(x0, velocity.x0OfX() * x + velocity.x0OfOutput() * v, 1e-12);
        assertEquals(x0, noise.x0OfX() * x + noise.x0OfOutput() * eps, 1e-12);
        assertEquals(noise.ofX() * x + noise.ofOutput() * eps, velocity.ofX() * x + velocity.ofOutput() * v, 1e-12);
        assertEquals(noise.sigma(), velocity.sigma());
    }

    @Test void settingsOfOtherSamplersArePassedOver() throws IOException {
        assertEquals(1000, of("{\"solver_order\": 2, \"final_sigmas_type\": \"zero\", \"euler_at_final\": false, \"lambda_min_clipped\": -5.1}").trainTimesteps());
    }

    @Test void refusesStepsBeyondTheTrainedOnes() throws IOException {
        NoiseSchedule schedule = golden();
        assertEquals("steps: must be 1..1000, got 1001", assertThrows(IllegalArgumentException.class, () -> schedule.ddim(1001)).getMessage());
        assertEquals("steps: must be 1..1000, got 0", assertThrows(IllegalArgumentException.class, () -> schedule.ddim(0)).getMessage());
        assertThrows(IllegalArgumentException.class, () -> schedule.ddim(1000), "offset 1 reaches timestep 1000");
        assertThrows(IllegalArgumentException.class, () -> schedule.ddim(5).stepOf(2));
    }
}
