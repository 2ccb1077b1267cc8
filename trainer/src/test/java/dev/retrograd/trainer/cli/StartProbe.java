package dev.retrograd.trainer.cli;

/// Lets test programs of other packages start as [Main] does.
public final class StartProbe {

    private StartProbe() {}

    public static void followParent() {
        ParentDeath.follow();
    }
}
