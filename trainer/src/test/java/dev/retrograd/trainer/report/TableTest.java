package dev.retrograd.trainer.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TableTest {
    private static final Table TABLE = new Table(List.of("model", "reward"), List.of(List.of("base", "5.7 ± 0.2"), List.of("a|b, \"c\"", "-12.1 ± 0.1")));

    @Test void textAlignsNumbersToTheRight() {
        assertEquals("""
                model          reward
                base        5.7 ± 0.2
                a|b, "c"  -12.1 ± 0.1
                """, TABLE.text());
    }

    @Test void markdownAndCsvEscapeWhatTheyMust() {
        assertEquals("""
                | model | reward |
                | --- | ---: |
                | base | 5.7 ± 0.2 |
                | a\\|b, "c" | -12.1 ± 0.1 |
                """, TABLE.markdown());
        assertEquals("""
                model,reward
                base,5.7 ± 0.2
                "a|b, ""c""\",-12.1 ± 0.1
                """, TABLE.csv());
    }

    @ParameterizedTest @CsvSource({"5.73125,5.731", "-1234.5678,-1235", "0.012345,0.01235", "0.00012345,1.235e-04", "0,0.0", "123456,1.235e+05", "99.96,99.96", "NaN,NaN"})
    void numbersShowFourDigits(double value, String shown) {
        assertEquals(shown, Table.number(value));
    }

    @Test void refusesRowsOfOtherLengths() {
        assertEquals("table: every row must have the heading's 2 cells, 1 or more, got [1]",
                assertThrows(IllegalArgumentException.class, () -> new Table(List.of("a", "b"), List.of(List.of("1")))).getMessage());
    }
}
