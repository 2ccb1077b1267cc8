package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.retrograd.cuda.KernelUse.Multiprocessor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/// The page of registers and spills is that of the PTX that is checked in.
class PtxPageTest {
    private static final Path MODULE = Path.of("");
    private static final String STALE = "docs/ptx.md is of other PTX; in the repository's root, after mvn test-compile: " + PtxReport.COMMAND;
    private static final int MOST_BYTES = 10_000;

    private static PtxPage page() throws IOException {
        return PtxPage.parse(Files.readString(PtxPage.file(MODULE)));
    }

    private static List<String> modules() throws IOException {
        return PtxBuild.sources(MODULE).stream().map(PtxBuild::name).toList();
    }

    @Test void everyModuleHasARowOfItsTextAndNothingIsSpilled() throws IOException {
        List<PtxPage.Row> rows = page().rows();
        assertEquals(modules(), rows.stream().map(PtxPage.Row::module).toList(), STALE);
        for (PtxPage.Row r : rows) {
            assertEquals(PtxPage.hash(r.module()), r.hash(), r.module() + ": " + STALE);
            assertEquals(0, r.spilled(), r.module() + ": bytes spilled");
            for (Multiprocessor m : Multiprocessor.values()) {
                String cell = r.cells().get(m.ordinal());
                boolean meant = PtxReport.architectures(r.module()).contains(m);
                assertTrue(meant ? cell.matches("\\d+, \\d+, [1-9]\\d* %") : cell.equals(PtxPage.NONE), r.module() + " on " + m + ": " + cell);
            }
        }
        assertTrue(Files.size(PtxPage.file(MODULE)) < MOST_BYTES, "bytes of the page: " + Files.size(PtxPage.file(MODULE)));
    }

    @Test void thePageIsReadAsItWasWritten() throws IOException {
        String text = Files.readString(PtxPage.file(MODULE));
        assertEquals(text, PtxPage.parse(text).text(), STALE);
    }

    /// On all architectures where the system property `ptx.architectures` is `all`: some minutes. Otherwise one small module on all of them, and one of the largest on one.
    @Test void thePtxasOfThePageStillSaysTheSame() throws IOException, InterruptedException {
        PtxPage page = page();
        assumeTrue(PtxReport.compiler().equals(Optional.of(page.compiler())), "no ptxas of the page's version on the path");
        if (System.getProperty("ptx.architectures", "").equals("all")) {
            for (String module : modules()) {
                assertEquals(page.row(module).orElseThrow(), PtxReport.row(module, Multiprocessor.values()), module);
            }
        } else {
            assertEquals(page.row("shape").orElseThrow(), PtxReport.row("shape", Multiprocessor.values()));
            PtxPage.Row large = PtxReport.row("matmul_bf16", Multiprocessor.SM_80);
            assertEquals(page.row("matmul_bf16").orElseThrow().cells().getFirst(), large.cells().getFirst());
        }
    }
}
