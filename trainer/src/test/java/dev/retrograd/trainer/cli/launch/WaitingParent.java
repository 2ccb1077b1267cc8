package dev.retrograd.trainer.cli.launch;

import dev.retrograd.trainer.cli.WaitingChild;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// Main class for tests: stands in for the launcher, with a [WaitingChild].
final class WaitingParent {

    private WaitingParent() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        String java = System.getProperty("java.home") + "/bin/java";
        List<String> command = new ArrayList<>(List.of(java, "--enable-native-access=ALL-UNNAMED",
                "-Dretrograd.parent=" + ProcessHandle.current().pid(), "-cp", System.getProperty("java.class.path"),
                WaitingChild.class.getName()));
        command.addAll(List.of(args));
        System.exit(ChildJvm.run(command));
    }
}
