package dev.retrograd.unet.diffusion;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.unet.UNet;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;

/// The denoising chain: from pure noise to a clean latent, one UNet evaluation and one DDIM update per step.
///
/// Each step is a segment. A skipped step runs the UNet unrecorded; the linear path of the latent around it is recorded where something before it
/// needs a gradient, as upstream, which detaches the predicted noise only. Source: AlignProp (arXiv 2310.03739), algorithm 1.
public final class DdimChain {
    private static final String STEP = "step ";

    private final UNet unet;
    private final DdimSchedule schedule;
    private final Guidance guidance;
    private final double eta;
    private final OptionalDouble edict;
    private final IntConsumer before;

    /// @param eta 0 deterministic … 1 ancestral
    public DdimChain(UNet unet, DdimSchedule schedule, Guidance guidance, double eta) {
        this(unet, schedule, guidance, eta, OptionalDouble.empty());
    }

    /// @param edict p of {@link Edict}, whose coupled chain then takes the place of DDIM's
    public DdimChain(UNet unet, DdimSchedule schedule, Guidance guidance, double eta, OptionalDouble edict) {
        this(unet, schedule, guidance, eta, edict, _ -> { });
    }

    private DdimChain(UNet unet, DdimSchedule schedule, Guidance guidance, double eta, OptionalDouble edict, IntConsumer before) {
        this.edict = edict;
        this.before = before;
        this.unet = unet;
        this.schedule = schedule;
        this.guidance = guidance;
        this.eta = eta;
    }

    /// The same chain, where each evaluation of the UNet is announced by its step: what changes the UNet between steps hears of them here.
    public DdimChain announcing(IntConsumer step) {
        return new DdimChain(unet, schedule, guidance, eta, edict, step);
    }

    public DdimSchedule schedule() {
        return schedule;
    }

    public Guidance guidance() {
        return guidance;
    }

    public double eta() {
        return eta;
    }

    /// Whether {@link #run} is EDICT's coupled chain.
    public boolean coupled() {
        return edict.isPresent();
    }

    /// EDICT's chain, differentiated without storing its steps.
    ///
    /// @throws IllegalStateException if {@link #run} is not EDICT's
    public ReversibleEdict reversible() {
        return new ReversibleEdict(this, edict.orElseThrow(() -> new IllegalStateException("chain: must be EDICT's to be undone, got DDIM's")));
    }

    /// The arithmetic of one step.
    public DdimStep step(int step) {
        return new DdimStep(schedule, step, eta);
    }

    /// One step from a latent and its predicted noise.
    ///
    /// @param noise as for {@link #run}
    public Var advance(int step, Var x, Var eps, IntFunction<Var> noise) {
        return step(step).next(x, eps, eta > 0 ? Optional.of(noise.apply(step)) : Optional.empty());
    }

    /// The latents from the initial one to the clean one, steps + 1 of them, and the guided noise prediction of each step.
    public record Trajectory(List<Var> latents, List<Var> predictions) {
        public Var last() {
            return latents.getLast();
        }
    }

    /// Runs the whole chain.
    ///
    /// @param latent x_T, `[B,H,W,C]`
    /// @param context text embedding, `[2B,M,D]` in the order [uncond, text] where guidance is active, else `[B,M,D]`; not differentiated
    /// @param kept steps whose predicted noise keeps its gradient
    /// @param noise `[B,H,W,C]` for a step; asked for only when eta > 0
    /// @param progress is told each step when it is done
    public Trajectory run(Var latent, Var context, BitSet kept, IntFunction<Var> noise, IntConsumer progress) {
        if (edict.isPresent()) {
            return new Edict(this, edict.getAsDouble()).run(latent, context, kept, progress);
        }
        List<Var> latents = new ArrayList<>(List.of(latent));
        List<Var> predictions = new ArrayList<>();
        Var x = latent;
        for (int i = 0; i < schedule.steps(); i++) {
            int step = i;
            Var from = x;
            Var eps = kept.get(i) ? predict(step, from, context) : from.tape().unrecorded(() -> predict(step, from, context));
            x = advance(i, from, eps, noise);
            latents.add(x);
            predictions.add(eps);
            progress.accept(i);
        }
        return new Trajectory(latents, predictions);
    }

    /// Whether a scope is that of a step's segment, forward or backward: all of them do the same work.
    public static boolean isStep(String scope) {
        return scope.startsWith(STEP);
    }

    /// The guided noise prediction of one step, `[B,H,W,C]`: a segment.
    public Var predict(int step, Var x, Var context) {
        Tape t = x.tape();
        return t.segment1(STEP + step, in -> {
            before.accept(step);
            return guidance.mixed(unet.forward(guidance.doubled(in[0]), context, schedule.timestep(step)));
        }, x);
    }
}
