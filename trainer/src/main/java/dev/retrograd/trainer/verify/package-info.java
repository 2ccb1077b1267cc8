/// Comparison of this program with reference tensors that upstream code computed.
package dev.retrograd.trainer.verify;
