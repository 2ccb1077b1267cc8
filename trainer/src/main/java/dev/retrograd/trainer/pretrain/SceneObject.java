package dev.retrograd.trainer.pretrain;

/// One object of a scene.
record SceneObject(Figure figure, Paint paint, Extent extent, Texture texture, Place place) {
}
