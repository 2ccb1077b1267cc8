/// Training runs: settings, the loop, its folder, and sampling.
package dev.retrograd.trainer;
