package dev.retrograd.trainer.pretrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Test;

class WorldPromptsTest {
    @Test void listsAreDistinctAlwaysTheSameAndOfKnownWords() {
        assertEquals(45, WorldPrompts.training().size());
        assertEquals(12, WorldPrompts.heldOut().size());
        assertEquals(WorldPrompts.training(), WorldPrompts.training());
        HashSet<String> all = new HashSet<>(WorldPrompts.training());
        all.addAll(WorldPrompts.heldOut());
        all.addAll(WorldPrompts.check());
        assertEquals(45 + 12 + 256, all.size());
        for (String prompt : all) {
            for (String word : prompt.split(" ")) {
                assertTrue(Caption.vocabulary().contains(word), word + " in '" + prompt + "'");
            }
        }
    }

    @Test void shapesAreColourAndShapeAloneAndAThirdOfTheOthersIsHeldOut() {
        List<String> heldOut = Arrays.stream(Figure.values()).flatMap(f -> Arrays.stream(Paint.values()).filter(p -> World.heldOut(f, p)).map(p -> "a " + Caption.word(p) + " " + Caption.word(f))).toList();
        HashSet<String> shapes = new HashSet<>(WorldPrompts.shapes());
        HashSet<String> others = new HashSet<>(WorldPrompts.otherShapes());
        assertEquals(24, shapes.size());
        assertEquals(24, others.size());
        assertEquals("a blue circle", WorldPrompts.shapes().getFirst());
        assertEquals(8, heldOut.size());
        assertTrue(others.containsAll(heldOut), others.toString());
        others.retainAll(shapes);
        assertEquals(0, others.size(), "none is on both lists");
    }

    @Test void trainingNeverNamesAHeldOutCombination() {
        for (Figure figure : Figure.values()) {
            for (Paint paint : Paint.values()) {
                if (World.heldOut(figure, paint)) {
                    String words = Caption.word(paint) + " " + Caption.word(figure);
                    List<String> named = WorldPrompts.training().stream().filter(p -> (" " + p + " ").contains(" " + words + " ")).toList();
                    assertEquals(List.of(), named);
                }
            }
        }
        List<String> heldOut = new ArrayList<>(WorldPrompts.heldOut());
        heldOut.addAll(WorldPrompts.check());
        long heldOutFirst = heldOut.stream().filter(p -> Arrays.stream(Figure.values()).anyMatch(f -> Arrays.stream(Paint.values())
                .anyMatch(c -> World.heldOut(f, c) && p.contains(Caption.word(c) + " " + Caption.word(f))))).count();
        assertEquals(heldOut.size(), heldOutFirst);
        assertFalse(WorldPrompts.training().stream().allMatch(p -> p.contains(" above ") || p.contains(" below ")));
    }
}
