package dev.retrograd.unet.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class LowerCaseTest {

    @Test void sigmaHasItsFinalFormOnlyAtAWordsEnd() {
        assertEquals("σσς", LowerCase.of("ΣΣΣ"));
        assertEquals("ας βσα", LowerCase.of("ΑΣ ΒΣΑ"));
        assertEquals("σ", LowerCase.of("Σ"));
        assertEquals("α'ς.", LowerCase.of("Α'Σ."));
        assertEquals("α'σ'α", LowerCase.of("Α'Σ'Α"));
        assertEquals("α٣σ", LowerCase.of("Α٣Σ"));
    }

    @Test void dottedCapitalIKeepsItsDot() {
        assertEquals("i\u0307stanbul", LowerCase.of("İSTANBUL"));
    }

    @Test void lettersBeyondTheBasicPlaneChange() {
        assertEquals("𐐨", LowerCase.of("𐐀"));
    }
}
