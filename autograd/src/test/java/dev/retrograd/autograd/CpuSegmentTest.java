package dev.retrograd.autograd;

import dev.retrograd.core.Backend;
import dev.retrograd.core.cpu.CpuBackend;

class CpuSegmentTest extends SegmentContract {

    @Override Backend open() {
        return new CpuBackend(CpuBackend.Options.defaults().withPoison());
    }
}
