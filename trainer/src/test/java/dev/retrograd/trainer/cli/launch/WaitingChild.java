package dev.retrograd.trainer.cli.launch;

import dev.retrograd.trainer.cli.Interrupt;
import dev.retrograd.trainer.cli.StartProbe;

/// Main class for tests: announces its process id, waits to be interrupted, takes a moment to save and says so.
final class WaitingChild {

    private WaitingChild() {}

    public static void main(String[] args) throws InterruptedException {
        StartProbe.followParent();
        try (Interrupt interrupt = Interrupt.open()) {
            System.out.println(ProcessHandle.current().pid());
            while (!interrupt.requested()) {
                Thread.sleep(20);
            }
            System.err.println("saving");
            Thread.sleep(300);
            System.err.println("saved");
        }
    }
}
