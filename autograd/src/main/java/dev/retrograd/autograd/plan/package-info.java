/// Plans of memory: what a pass costs segment by segment, and which segments to store or recompute under a budget.
package dev.retrograd.autograd.plan;
