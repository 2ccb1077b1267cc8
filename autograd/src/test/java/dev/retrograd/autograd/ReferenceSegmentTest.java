package dev.retrograd.autograd;

import dev.retrograd.core.Backend;
import dev.retrograd.core.reference.ReferenceBackend;

class ReferenceSegmentTest extends SegmentContract {

    @Override Backend open() {
        return new ReferenceBackend();
    }
}
