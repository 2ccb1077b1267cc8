package dev.retrograd.trainer.pretrain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.RandomStream;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class WorldTest {
    private static final Backdrop WHITE = new Backdrop(Shade.WHITE, false);
    private static final SceneObject CIRCLE = new SceneObject(Figure.CIRCLE, Paint.RED, Extent.SMALL, Texture.STRIPED, Place.LEFT);
    private static final SceneObject SQUARE = new SceneObject(Figure.SQUARE, Paint.BLUE, Extent.LARGE, Texture.PLAIN, Place.RIGHT);

    private static Scene scene(long key, World.Part part) {
        return World.draw(RandomStream.keyed(7, key), part);
    }

    @Test void aStreamGivesTheSameSceneCaptionAndPicture() {
        Recipe recipe = Recipe.MINIATURE;
        Examples a = Examples.draw(recipe, StageKey.VAE, 3, 4);
        Examples b = Examples.draw(recipe, StageKey.VAE, 3, 4);
        assertEquals(a.scenes(), b.scenes());
        assertEquals(a.captions(), b.captions());
        assertArrayEquals(Pictures.joined(a.pictures()), Pictures.joined(b.pictures()));
        assertNotEquals(a.scenes(), Examples.draw(recipe, StageKey.VAE, 4, 4).scenes());
        assertNotEquals(a.scenes(), Examples.draw(recipe, StageKey.CLIP, 3, 4).scenes());
    }

    @Test void trainingNeverShowsAHeldOutCombination() {
        for (int i = 0; i < 2000; i++) {
            for (SceneObject o : scene(i, World.Part.TRAINING).objects()) {
                assertFalse(World.heldOut(o.figure(), o.paint()), o.toString());
            }
            assertTrue(scene(i, World.Part.HELD_OUT).heldOut());
        }
    }

    @Test void oneColourOfEachShapeIsHeldOutAndOneShapeOfEachColour() {
        Set<Paint> paints = new HashSet<>();
        for (Figure f : Figure.values()) {
            List<Paint> out = java.util.Arrays.stream(Paint.values()).filter(p -> World.heldOut(f, p)).toList();
            assertEquals(1, out.size(), f.toString());
            paints.addAll(out);
        }
        assertEquals(Paint.values().length, paints.size());
    }

    @Test void theFullCaptionNamesEverything() {
        assertEquals("a small striped red circle left of a large blue square on a white background", new Scene(CIRCLE, Optional.of(SQUARE), WHITE).caption());
        SceneObject star = new SceneObject(Figure.STAR, Paint.CYAN, Extent.LARGE, Texture.PLAIN, Place.CENTER);
        assertEquals("a large cyan star in the center on a black gradient background", new Scene(star, Optional.empty(), new Backdrop(Shade.BLACK, true)).caption());
        assertEquals("striped red circle, left", new Caption(Caption.Form.LIST, false, true, false).of(new Scene(CIRCLE, Optional.empty(), WHITE)));
        assertEquals("a picture of a striped red circle", new Caption(Caption.Form.PICTURE, false, false, false).of(new Scene(CIRCLE, Optional.empty(), WHITE)));
    }

    @Test void differentScenesHaveDifferentFullCaptions() {
        Set<Scene> scenes = new HashSet<>();
        Set<String> captions = new HashSet<>();
        for (int i = 0; i < 3000; i++) {
            Scene s = scene(i, World.Part.TRAINING);
            scenes.add(s);
            captions.add(s.caption());
        }
        assertEquals(scenes.size(), captions.size());
        assertTrue(scenes.size() > 1000, "scenes must vary, got " + scenes.size());
    }

    @Test void bothCaptionsOfTwoObjectsAreReadInOneOrder() {
        Scene left = new Scene(CIRCLE, Optional.of(SQUARE), WHITE);
        Scene right = new Scene(SQUARE, Optional.of(CIRCLE), WHITE);
        assertEquals("a large blue square right of a small striped red circle on a white background", right.caption());
        assertEquals(left.inReadingOrder(), right.inReadingOrder());
    }

    @Test void aSecondObjectMustLieOpposite() {
        IllegalArgumentException e = assertThrows(IllegalArgumentException.class,
                () -> new Scene(CIRCLE, Optional.of(new SceneObject(Figure.STAR, Paint.RED, Extent.SMALL, Texture.PLAIN, Place.TOP)), WHITE));
        assertEquals("scene: a second object must lie opposite of the first at LEFT, got TOP", e.getMessage());
    }

    @Test void anObjectIsDrawnInItsColourAtItsPlaceAndNowhereElse() {
        SceneObject square = new SceneObject(Figure.SQUARE, Paint.BLUE, Extent.LARGE, Texture.PLAIN, Place.RIGHT);
        float[] image = Painter.draw(new Scene(square, Optional.empty(), WHITE), RandomStream.keyed(1, 1));
        for (int c = 0; c < 3; c++) {
            assertEquals(2 * Paint.BLUE.channel(c) - 1, image[(32 * 64 + 47) * 3 + c], 1e-5);
            assertEquals(2 * Shade.WHITE.channel(c) - 1, image[(32 * 64 + 10) * 3 + c], 1e-5);
        }
    }

    @Test void everyPixelOfEveryPictureIsInRange() {
        for (int i = 0; i < 50; i++) {
            for (float v : Painter.draw(scene(i, World.Part.TRAINING), RandomStream.keyed(2, i))) {
                assertTrue(v >= -1 && v <= 1, "pixel " + v);
            }
        }
    }

    @Test void aFamilyDiffersInShapeAndPlaceAlone() {
        for (int i = 0; i < 500; i++) {
            List<Scene> family = Families.family(RandomStream.keyed(11, i));
            SceneObject base = family.getFirst().first();
            assertEquals(4, new HashSet<>(family).size());
            for (int m = 0; m < 4; m++) {
                SceneObject o = family.get(m).first();
                assertEquals(m == 1 || m == 3, o.figure() != base.figure());
                assertEquals(m >= 2, o.place() != base.place());
                assertEquals(List.of(base.paint(), base.extent(), base.texture()), List.of(o.paint(), o.extent(), o.texture()));
                assertEquals(family.getFirst().backdrop(), family.get(m).backdrop());
                assertFalse(family.get(m).heldOut());
            }
        }
    }

    @Test void everyShapeHasItsOwnOutline() {
        Set<String> outlines = new HashSet<>();
        for (Figure f : Figure.values()) {
            StringBuilder outline = new StringBuilder();
            int inside = 0;
            for (int i = 0; i < 400; i++) {
                boolean in = f.contains((i % 20 - 9.5) / 10, (i / 20 - 9.5) / 10);
                outline.append(in ? '#' : '.');
                inside += in ? 1 : 0;
            }
            assertTrue(inside > 60 && inside < 350, f + " covers " + inside + " of 400");
            assertTrue(outlines.add(outline.toString()), f.toString());
        }
    }
}
