package dev.retrograd.trainer.pretrain;

/// One object of a scene.
public record SceneObject(Figure figure, Paint paint, Extent extent, Texture texture, Place place) {
}
