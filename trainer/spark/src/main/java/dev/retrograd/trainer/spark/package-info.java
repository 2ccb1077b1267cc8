/// A training run's updates as jobs of an Apache Spark cluster: `spark-submit --class dev.retrograd.trainer.spark.SparkTrain`.
package dev.retrograd.trainer.spark;
