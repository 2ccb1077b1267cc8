package dev.retrograd.unet.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class WordSplitterTest {

    private static List<String> split(String text) {
        List<String> words = new ArrayList<>();
        WordSplitter.split(text, words::add);
        return words;
    }

    @Test void lettersRunTogetherAndNumeralsStandAlone() {
        assertEquals(List.of("year", "2", "0", "2", "3", "x", "²", "½", "ⅳ"), split("year 2023 x²½ⅳ"));
    }

    @Test void contractionsAreWords() {
        assertEquals(List.of("it", "'s", "don", "'t", "we", "'re", "i", "'ll", "'t", "is"), split("it's don't we're i'll 'tis"));
    }

    @Test void punctuationRunsUntilSpaceLetterOrNumeral() {
        assertEquals(List.of("!?.", "a", "--", "1", "🎉🐱"), split("!?. a--1 🎉🐱"));
        assertEquals(List.of("!'", "s"), split("!'s"));
    }

    @Test void markersAreWholeWords() {
        assertEquals(List.of("a", "<|endoftext|>", "b", "<|startoftext|>"), split("a<|endoftext|>b <|startoftext|>"));
    }

    @Test void longSFoldsToSInFixedWords() {
        assertEquals(List.of("'ſ", "t"), split("'ſt"));
    }

    @Test void whiteSpaceAndIotaSubscriptOnlySeparate() {
        assertEquals(List.of(), split(" \t\n\u00a0\u2003\u3000\u0345"));
        assertEquals(List.of("a", "b"), split("a\u0345b"));
    }
}
