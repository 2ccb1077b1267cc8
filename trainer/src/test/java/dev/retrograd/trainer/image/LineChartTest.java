package dev.retrograd.trainer.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.trainer.image.LineChart.Point;
import dev.retrograd.trainer.image.LineChart.Series;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXException;

class LineChartTest {
    private static Document drawn(Series... series) throws IOException, SAXException, ParserConfigurationException {
        byte[] svg = new LineChart("update", "a < b", List.of(series)).svg().getBytes(StandardCharsets.UTF_8);
        return DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new ByteArrayInputStream(svg));
    }

    private static double[] rows(Document svg, int series) {
        String points = svg.getElementsByTagName("polyline").item(series).getAttributes().getNamedItem("points").getNodeValue();
        return Arrays.stream(points.trim().split(" ")).mapToDouble(p -> Double.parseDouble(p.split(",")[1])).toArray();
    }

    @Test void greaterValuesLieHigherAndAllSeriesShareTheAxes() throws IOException, SAXException, ParserConfigurationException {
        Document svg = drawn(new Series("one", "#000000", false, List.of(new Point(0, -1), new Point(10, 1))), new Series("two", "#ff0000", true, List.of(new Point(5, 0))));
        double[] one = rows(svg, 0);
        double[] two = rows(svg, 1);
        assertTrue(one[1] < two[0] && two[0] < one[0], Arrays.toString(one) + Arrays.toString(two));
        assertEquals((one[0] + one[1]) / 2, two[0], 0.1);
        assertEquals(1, svg.getElementsByTagName("circle").getLength());
    }

    @Test void namesAreTextAndNotMarkup() throws IOException, SAXException, ParserConfigurationException {
        NodeList texts = drawn(new Series("</svg>", "#000000", false, List.of(new Point(0, 3)))).getElementsByTagName("text");
        List<String> contents = java.util.stream.IntStream.range(0, texts.getLength()).mapToObj(i -> texts.item(i).getTextContent()).toList();
        assertTrue(contents.contains("</svg>") && contents.contains("a < b"), contents.toString());
    }

    @Test void ticksAreRoundNumbersWithinTheRange() throws IOException, SAXException, ParserConfigurationException {
        NodeList texts = drawn(new Series("s", "#000000", false, List.of(new Point(0, 0.2), new Point(30, 0.4)))).getElementsByTagName("text");
        List<String> contents = java.util.stream.IntStream.range(0, texts.getLength()).mapToObj(i -> texts.item(i).getTextContent()).toList();
        assertTrue(contents.containsAll(List.of("0.20", "0.25", "0.30", "0.35", "0.40", "0", "10", "20", "30")), contents.toString());
    }

    @Test void categoriesHaveNamesAndNoCurve() {
        String svg = new LineChart("", "y", List.of(new Series("s", "#000000", true, List.of(new Point(0, 1), new Point(1, 2, 0.5)))), List.of("one", "other")).svg();
        assertTrue(svg.contains(">one</text>") && svg.contains(">other</text>") && !svg.contains("<polyline"), svg);
        assertEquals(2, svg.split("<circle", -1).length - 1);
    }

    @Test void refusesToDrawNothing() {
        LineChart empty = new LineChart("x", "y", List.of(new Series("s", "#000000", false, List.of())));
        assertEquals("chart: there must be a point to draw, got none in 1 series", assertThrows(IllegalArgumentException.class, empty::svg).getMessage());
    }
}
