/// Images as 8-bit colours: grids of samples and PNG files.
package dev.retrograd.trainer.image;
