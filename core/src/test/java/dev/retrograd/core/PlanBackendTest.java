package dev.retrograd.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.PlanBackend.Cost;
import dev.retrograd.core.reference.ReferenceBackend;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PlanBackendTest {

    @Test void answersForABackendOfSixteenBitActivationsThatIsNotAtHand() {
        try (PlanBackend plan = new PlanBackend("cuda", 0, Precision.BF16); Scope _ = plan.memory().open("test")) {
            Tensor x = plan.empty("x", new Spec(Shape.of(8, 32), plan.activations()));
            plan.linear(x, x, plan.empty("y", new Spec(Shape.of(8, 8), plan.activations())));
            assertEquals(2 * (256 + 64), plan.memory().liveBytes());
            assertEquals(2 * (256 + 256 + 64), plan.totalCost().bytes());
        }
    }

    @Test void countsFlopsBytesAndCallsByKernelAndByScope() {
        try (PlanBackend plan = new PlanBackend("cpu", 4096)) {
            Tensor x = plan.empty("x", Spec.f32(5, 7));
            Tensor w = plan.empty("w", new Spec(Shape.of(3, 7), DType.F16));
            Tensor y = plan.empty("y", Spec.f32(5, 3));
            try (Scope _ = plan.memory().open("step 1")) {
                plan.linear(x, w, y);
                plan.linear(x, w, y);
                plan.unary(Unary.SILU, y, y);
            }
            Cost linear = new Cost(2 * 2 * 5 * 7 * 3, 2 * (4 * 35 + 2 * 21 + 4 * 15), 2);
            Cost silu = new Cost(15, 120, 1);
            assertEquals(Map.of("linear", linear, "unary", silu), plan.costs());
            assertEquals(Map.of("cpu > step 1", linear.plus(silu)), plan.costsByScope());
            assertEquals(linear.plus(silu), plan.totalCost());
            assertEquals(4096, plan.workspaceBytes());
            plan.resetCosts();
            assertEquals(Cost.ZERO, plan.totalCost());
            assertEquals(Set.of(), plan.costsByScope().keySet());
        }
    }

    /// FACTS-like figures of one block of the 512×512 model: conv 3×3 320 → 320 at 64×64 and its self-attention of 8 heads.
    @Test void countsAModelSizedLayerWithoutItsMemory() {
        try (PlanBackend plan = new PlanBackend("cpu", 0)) {
            Tensor x = plan.empty("x", Spec.f32(1, 64, 64, 320));
            Tensor w = plan.empty("w", Spec.f32(320, 3, 3, 320));
            plan.conv2d(ConvSpec.square(3, 1, 1), x, w, plan.empty("y", x.spec()));
            assertEquals(2L * 4096 * 320 * 9 * 320, plan.costs().get("conv2d").flops());
            Tensor q = plan.empty("q", Spec.f32(1, 4096, 320));
            Tensor lse = plan.empty("lse", Spec.f32(1, 8, 4096));
            plan.attention(new AttentionSpec(8, 0.16, false), q, q, q, q, lse);
            assertEquals(4096L * 4096 * (4 * 320 + 5 * 8), plan.costs().get("attention").flops());
        }
    }

    @Test void causalAttentionCountsTheTriangle() {
        try (PlanBackend plan = new PlanBackend("cpu", 0)) {
            Tensor q = plan.empty("q", Spec.f32(2, 5, 4));
            Tensor k = plan.empty("k", Spec.f32(2, 3, 4));
            plan.attention(new AttentionSpec(1, 1, true), q, k, k, q, plan.empty("lse", Spec.f32(2, 1, 5)));
            assertEquals(2 * (1 + 2 + 3 + 3 + 3) * (4 * 4 + 5), plan.costs().get("attention").flops());
        }
    }

    @Test void bytesEqualAnotherBackendsToTheByte() {
        try (PlanBackend plan = new PlanBackend("reference", 0); ReferenceBackend reference = new ReferenceBackend()) {
            for (Backend b : new Backend[] {plan, reference}) {
                Tensor x = b.zeros("x", Spec.f32(3, 5));
                try (Scope scope = b.memory().open("layer")) {
                    Tensor y = b.unary(Unary.SILU, x);
                    b.sumTo(y, 1, Shape.of());
                    scope.keep(b.binary(Binary.MUL, y, b.zeros("half", Spec.f32(5))));
                }
                b.empty("nothing", Spec.f32(0));
            }
            assertTrue(plan.memory().peakBytes() > plan.memory().liveBytes(), "the scope freed something");
            assertEquals(reference.memory().liveBytes(), plan.memory().liveBytes());
            assertEquals(reference.memory().peakBytes(), plan.memory().peakBytes());
            assertEquals(reference.memory().allocations(), plan.memory().allocations());
        }
    }

    @Test void refusesToGiveValues() {
        try (PlanBackend plan = new PlanBackend("cpu", 0)) {
            Tensor x = plan.floats("x", Shape.of(2), 1, 2);
            IllegalStateException e = assertThrows(IllegalStateException.class, () -> plan.toFloats(x));
            assertEquals("plan: has no values to download, asked for those of 'x' [2] F32", e.getMessage());
        }
    }

    @Test void refusesTensorsOfAnotherBackendAndFreedOnes() {
        try (PlanBackend plan = new PlanBackend("cpu", 0); ReferenceBackend reference = new ReferenceBackend()) {
            Tensor foreign = reference.floats("x", Shape.of(2), 1, 2);
            IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> plan.unary(Unary.SILU, foreign));
            assertEquals("plan: unary takes tensors of this backend, got 'x' [2] F32 of another", e.getMessage());
            Tensor dead;
            try (Scope _ = plan.memory().open("inner")) {
                dead = plan.empty("dead", Spec.f32(2));
            }
            assertThrows(IllegalStateException.class, () -> plan.fill(dead, 0));
        }
    }
}
