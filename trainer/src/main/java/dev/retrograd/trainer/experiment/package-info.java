/// The paper's tables and figures, each as runs that are trained, measured and held against what the paper claims.
package dev.retrograd.trainer.experiment;
